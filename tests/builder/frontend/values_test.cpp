// values: scalars, suggestions and patterns.
#include "builder/frontend/values.h"

#include "builder/plan/pattern.h"
#include "builder/plan/suggest.h"

#include "tests/support/catch.h"

using namespace lithify;

TEST_CASE("modes are octal however they are written") {
  CHECK(parse_mode("755") == 0755u);
  CHECK(parse_mode("0755") == 0755u);
  CHECK(parse_mode("04755") == 04755u);
  CHECK(parse_mode("0") == 0u);
  for (const char* text :
       {"", "888", "0o755", "010000", "77777", "-1", "7 5", "rwx", "755x"})
    CHECK_FALSE(parse_mode(text).has_value());
}

TEST_CASE("durations") {
  CHECK(parse_duration("10s") == 10'000'000'000);
  CHECK(parse_duration("1m30s") == 90'000'000'000);
  CHECK(parse_duration("1h2m3s4ms") == 3'723'004'000'000);
  for (const char* text : {"", "10", "s", "1s1m", "1s1s", "-1s", "1.5s", "1 s", "1d",
                           "9999999999h", "99999999999999999999s"})
    CHECK_FALSE(parse_duration(text).has_value());
}

TEST_CASE("ports") {
  CHECK(parse_port("80") == "80/tcp");
  CHECK(parse_port("080/udp") == "80/udp");
  for (const char* text :
       {"", "0", "65536", "80-90", "80/", "/tcp", "80/TCP", "+80", "-80"})
    CHECK_FALSE(parse_port(text).has_value());
}

TEST_CASE("paths in images are absolute and normal") {
  CHECK(parse_image_path("/") == "/");
  CHECK(parse_image_path("//a/./b//") == "/a/b");
  CHECK(parse_image_path("/..a/b..") == "/..a/b..");
  for (const char* text :
       {"", "a", "./a", "/..", "/a/../b", "/a/..", "/a\nb", "/.wh.a", "/a/.wh..wh..opq"})
    CHECK_FALSE(parse_image_path(text).has_value());
  CHECK(parse_image_path("/" + std::string(255, 'a')).has_value());
  CHECK_FALSE(parse_image_path("/" + std::string(256, 'a')).has_value());
  CHECK(parse_source_path(".") == ".");
  CHECK(parse_source_path("/a//b/") == "a/b");
  CHECK(parse_source_path("*.so") == "*.so");
  for (const char* text : {"", "..", "a/../../b", "!a", "[a"})
    CHECK_FALSE(parse_source_path(text).has_value());
}

TEST_CASE("globs") {
  for (const char* text : {"a", "**/*.o", "a/[a-z]?/b", "**", "[]a]"})
    CHECK(is_glob(text));
  for (const char* text : {"", "/a", "!a", "../a", "a/../b", "[a", "[a/b]", ".", "[!a]"})
    CHECK_FALSE(is_glob(text));
  CHECK(is_image_glob("/var/**"));
  CHECK(is_image_glob("**/*.pyc"));
  for (const char* text : {"var/**", "/", "*/a", "/../x"})
    CHECK_FALSE(is_image_glob(text));
}

TEST_CASE("package requests") {
  const auto full = parse_package("libc6:arm64=2:2.36-9+deb12u13");
  REQUIRE(full.has_value());
  CHECK(full->name == "libc6");
  CHECK(full->architecture == "arm64");
  CHECK(full->version == "2:2.36-9+deb12u13");
  CHECK(parse_package("libssl3=3.2.*")->version == "3.2.*");
  CHECK(parse_package("g++")->name == "g++");
  for (const char* text : {"", "a", "Bash", "-x", "a b", "bash=", "bash=*", "bash=x",
                           "bash:", "bash:A", "ba/sh", "bash=1*2"})
    CHECK_FALSE(parse_package(text).has_value());
}

TEST_CASE("epochs") {
  CHECK(parse_epoch("git")->kind == EpochRule::Kind::git);
  CHECK(parse_epoch("zero")->kind == EpochRule::Kind::zero);
  CHECK(parse_epoch("0")->seconds == 0);
  CHECK(parse_epoch("315532800")->seconds == 315532800);
  CHECK(parse_epoch("1970-01-01")->seconds == 0);
  CHECK(parse_epoch("2000-02-29")->seconds == 951782400);
  CHECK(parse_epoch("2026-11-01T12:30:15Z")->seconds == 1793536215);
  CHECK(parse_epoch("9999-12-31")->seconds == 253402214400);
  for (const char* text :
       {"", "now", "-1", "2026-13-01", "2025-02-29", "1969-12-31", "2026-1-1",
        "2026-11-01T24:00:00Z", "2026-11-01 12:00:00", "253402300800"})
    CHECK_FALSE(parse_epoch(text).has_value());
}

TEST_CASE("names") {
  for (const char* text : {"a", "my-app", "a.b_c", "a--b", "0x"})
    CHECK(is_image_name(text));
  for (const char* text : {"", "A", "-a", "a-", "a..b", "a/b", "a b"})
    CHECK_FALSE(is_image_name(text));
  CHECK(is_url("https://host.example/x?y=1#z"));
  for (const char* text :
       {"", "ftp://h/x", "https://", "https:///x", "http://u:p@h/x", "https://h/a b"})
    CHECK_FALSE(is_url(text));
  CHECK(is_signal("SIGRTMIN+3"));
  CHECK(is_signal("9"));
  CHECK(is_signal("SIGRTMIN+15"));
  for (const char* text : {"TERM", "SIG", "SIGTERMS", "SIGRTMIN+16", "SIGRTMAX-0"})
    CHECK_FALSE(is_signal(text));
  CHECK_FALSE(is_signal("65"));
  CHECK(is_owner("0:0"));
  CHECK(is_owner("app:10"));
  for (const char* text : {"", ":", "0:", ":0", "a:b:c", "App", "4294967295:0", "-1:0"})
    CHECK_FALSE(is_owner(text));
}

TEST_CASE("extended attributes") {
  for (const char* text :
       {"user.a", "trusted.b.c", "security.capability", "system.posix_acl_access"})
    CHECK(is_xattr_name(text));
  for (const char* text : {"", "a", "user.", "users.a", "security.selinux", "user.a=b",
                           "user.overlay.opaque", "trusted.overlay.redirect", "user.\n"})
    CHECK_FALSE(is_xattr_name(text));
  CHECK(parse_xattr_value("") == "");
  CHECK(parse_xattr_value("text") == "text");
  CHECK(parse_xattr_value("0sYWI=") == "ab");
  CHECK(parse_xattr_value("0x6162") == "ab");
  for (const char* text : {"0sYWI", "0sYW=I", "0s!!!!", "0s====", "0x1", "0x+1", "0xgg"})
    CHECK_FALSE(parse_xattr_value(text).has_value());
}

TEST_CASE("suggestions are near and unique") {
  CHECK(suggest("entrypiont", {"entrypoint", "env"}) == "entrypoint");
  CHECK(suggest("eng", {"env", "end"}) == std::nullopt);
  CHECK(suggest("xy", {"ab"}) == std::nullopt);
  CHECK(suggest("sponge", {"ports", "user"}) == std::nullopt);
  CHECK(suggest("src", {"src", "sorc"}) == "src");
  CHECK(suggest(std::string(100000, 'a'), {"a"}) == std::nullopt);
  CHECK(did_you_mean("usr", {"user"}) == "did you mean `user`?");
  CHECK(did_you_mean("q", {"user"}).empty());
}

namespace {

bool match(const std::string& pattern, const std::string& text) {
  std::string why;
  const auto compiled = Pattern::compile(pattern, why);
  INFO(pattern << ": " << why);
  REQUIRE(compiled.has_value());
  return compiled->matches(text);
}

}  // namespace

TEST_CASE("patterns match the whole text") {
  CHECK(match("^\\d+\\.\\d+\\.\\d+$", "1.4.2"));
  CHECK_FALSE(match("\\d+\\.\\d+\\.\\d+", "1.4.2-rc1"));
  CHECK(match("(dev|rc\\d*)?", ""));
  CHECK(match("(dev|rc\\d*)?", "rc12"));
  CHECK(match("[a-z][^a-z_]{2,3}", "aA9"));
  CHECK(match("[a-z][^a-z_]{2,3}", "aA9-"));
  CHECK_FALSE(match("[a-z][^a-z_]{2,3}", "aA9-x"));
  CHECK(match("a{2}b{0}", "aa"));
  CHECK(match("a{2,}", "aaaa"));
  CHECK_FALSE(match("a{2,}", "a"));
  CHECK(match("a||b", ""));
  CHECK(match("(?:ab)+\\$", "abab$"));
  CHECK(match("[]x-]+", "x]-"));
  CHECK(match("\\w\\W\\s\\S\\D.", "a- bc\n"));
  CHECK(match("", ""));
  CHECK_FALSE(match("", "x"));
}

TEST_CASE("patterns occur in a text") {
  const auto occurs = [](const std::string& pattern, const std::string& text) {
    std::string why;
    const auto compiled = Pattern::compile(pattern, why);
    INFO(pattern << ": " << why);
    REQUIRE(compiled.has_value());
    return compiled->occurs_in(text);
  };
  CHECK(occurs("b+c", "abbbcd"));
  CHECK(occurs("", "x"));
  CHECK(occurs("", ""));
  CHECK(occurs("x|c", "abc"));
  CHECK_FALSE(occurs("b+d", "abbbcd"));
  CHECK(occurs("^ab", "abc"));
  CHECK_FALSE(occurs("^b", "abc"));
  CHECK(occurs("bc$", "abc"));
  CHECK_FALSE(occurs("ab$", "abc"));
  CHECK(occurs("^a.*c$", "abc"));
  CHECK_FALSE(occurs("^b$", "abc"));
}

TEST_CASE("no pattern is slow") {
  CHECK_FALSE(match("(a+)+", std::string(4000, 'a') + "b"));
  CHECK_FALSE(match("(a|a)*(a*)*", std::string(4000, 'a') + "b"));
  CHECK(match("(()*)*", ""));
}

TEST_CASE("what is no pattern is refused with a reason") {
  for (const char* pattern :
       {"(", ")", "[", "[]", "*a", "a|*", "\\", "\\q", "a{", "a{2,1}", "a{x}", "a{1001}",
        "(?=a)", "a^b", "a$b", "[z-a]", "((a{1000}){1000})"}) {
    std::string why;
    INFO(pattern);
    CHECK_FALSE(Pattern::compile(pattern, why).has_value());
    CHECK_FALSE(why.empty());
  }
  std::string why;
  CHECK_FALSE(Pattern::compile(std::string(100, '('), why).has_value());
}
