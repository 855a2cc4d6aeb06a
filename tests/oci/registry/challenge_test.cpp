// What servers write into WWW-Authenticate, and what is read from it.
#include "oci/registry/challenge.h"

#include "tests/support/catch.h"

using oci::Challenge;
using oci::parse_challenges;

namespace {

std::vector<Challenge> parsed(std::string line) {
  const std::vector<std::string> lines = {std::move(line)};
  return parse_challenges(lines);
}

}  // namespace

TEST_CASE("a bearer challenge has its realm, service and scope") {
  const auto found = parsed(
      "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\""
      ",scope=\"repository:library/debian:pull,push\"");
  REQUIRE(found.size() == 1);
  CHECK(found[0].scheme == "bearer");
  CHECK(found[0].parameter("realm") == "https://auth.docker.io/token");
  CHECK(found[0].parameter("service") == "registry.docker.io");
  CHECK(found[0].parameter("scope") == "repository:library/debian:pull,push");
  CHECK(found[0].parameter("error").empty());
}

TEST_CASE("schemes and names have no case, and blanks stand anywhere") {
  const auto found = parsed("  bEARER   ReAlM = \"x\" ,\t SERVICE\t=y  ");
  REQUIRE(found.size() == 1);
  CHECK(found[0] == Challenge{"bearer", "", {{"realm", "x"}, {"service", "y"}}});
}

TEST_CASE("several challenges may stand in one line") {
  const auto found =
      parsed("Negotiate, Basic realm=\"a, b\", Bearer realm=\"c\",service=\"d\"");
  REQUIRE(found.size() == 3);
  CHECK(found[0] == Challenge{"negotiate", "", {}});
  CHECK(found[1] == Challenge{"basic", "", {{"realm", "a, b"}}});
  CHECK(found[2] == Challenge{"bearer", "", {{"realm", "c"}, {"service", "d"}}});
}

TEST_CASE("several lines are read one after the other") {
  const std::vector<std::string> lines = {"Basic realm=\"a\"", "", "Bearer realm=\"b\""};
  const auto found = parse_challenges(lines);
  REQUIRE(found.size() == 2);
  CHECK(found[0].scheme == "basic");
  CHECK(found[1].scheme == "bearer");
}

TEST_CASE("a token68 is no parameter, with or without its padding") {
  const auto found = parsed("Negotiate YII/b+c==, NTLM TlRM, X ab=, Basic realm=r");
  REQUIRE(found.size() == 4);
  CHECK(found[0].token68 == "YII/b+c==");
  CHECK(found[1].token68 == "TlRM");
  CHECK(found[2].token68 == "ab=");
  CHECK(found[3].parameter("realm") == "r");
}

TEST_CASE("quoted values may be empty and escaped") {
  const auto found = parsed(R"(Basic realm="", note="say \"hi\" \\ \a")");
  REQUIRE(found.size() == 1);
  CHECK(found[0].parameters.count("realm") == 1);
  CHECK(found[0].parameter("realm").empty());
  CHECK(found[0].parameter("note") == R"(say "hi" \ a)");
}

TEST_CASE("a realm without quotes is read up to the comma") {
  const auto found = parsed("Bearer realm=https://r.example/token?a=b,service=r");
  REQUIRE(found.size() == 1);
  CHECK(found[0].parameter("realm") == "https://r.example/token?a=b");
  CHECK(found[0].parameter("service") == "r");
}

TEST_CASE("the first of two parameters of one name counts") {
  CHECK(parsed("Bearer realm=\"a\",Realm=\"b\"")[0].parameter("realm") == "a");
}

TEST_CASE("empty list elements mean nothing") {
  CHECK(parsed(",, ,Basic realm=\"a\",,, Bearer realm=\"b\",,").size() == 2);
  CHECK(parsed("").empty());
  CHECK(parsed(" ,").empty());
}

TEST_CASE("what cannot be read ends its line and is left out") {
  CHECK(parsed("Bearer realm=\"https://r.example").empty());
  CHECK(parsed("Bearer realm=\"a\" service=\"b\"").empty());
  CHECK(parsed("Bearer realm=\"a\",service=\"b").empty());
  CHECK(parsed("=, Basic realm=\"a\"").empty());
  CHECK(parsed("Basic\"x\"").empty());
  CHECK(parsed("Bearer realm=\"a\x01\"").empty());
  const auto found = parsed("Basic realm=\"a\", Bearer realm=\"b");
  REQUIRE(found.size() == 1);
  CHECK(found[0].scheme == "basic");
}

TEST_CASE("long lines and endless challenges have an end") {
  CHECK(parsed("Bearer realm=\"" + std::string(16 * 1024, 'a') + "\"").empty());
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += "Basic,";
  CHECK(parsed(many).size() == 32);
}
