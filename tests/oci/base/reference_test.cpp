// reference: distribution/reference's table, and the text of every refusal.
#include "oci/base/reference.h"

#include <vector>

#include "oci/base/error.h"

#include "tests/support/catch.h"

using oci::Digest;
using oci::Reference;

namespace {

const std::string k_hex(64, 'a');

std::string refusal(const std::string& text) {
  try {
    return "accepted: " + Reference::parse(text).str();
  } catch (const oci::Error& e) {
    CHECK(e.code() == oci::Errc::bad_input);
    return e.what();
  }
}

bool refused_for(const std::string& text, const std::string& why) {
  const std::string message = refusal(text);
  INFO(message);
  CHECK(message.find(why) != std::string::npos);
  return message.find(why) != std::string::npos;
}

}  // namespace

TEST_CASE("references are read and normalised as docker does") {
  struct Row {
    std::string text, domain, path, tag;
  };
  const std::string long_path(255, 'p');
  const std::string long_tag(128, 'T');
  const std::vector<Row> rows = {
      {"debian", "docker.io", "library/debian", "latest"},
      {"debian:12", "docker.io", "library/debian", "12"},
      {"me/app", "docker.io", "me/app", "latest"},
      {"index.docker.io/debian", "docker.io", "library/debian", "latest"},
      {"docker.io/me/app:1", "docker.io", "me/app", "1"},
      {"test.com:5000", "docker.io", "library/test.com", "5000"},
      {"test.com:5000/repo", "test.com:5000", "repo", "latest"},
      {"test.com:5000/repo:tag", "test.com:5000", "repo", "tag"},
      {"192.168.0.1:80", "docker.io", "library/192.168.0.1", "80"},
      {"192.168.0.1:80/repo", "192.168.0.1:80", "repo", "latest"},
      {"localhost", "docker.io", "library/localhost", "latest"},
      {"localhost/x", "localhost", "x", "latest"},
      {"localhost:5000/x", "localhost:5000", "x", "latest"},
      {"Foo/bar", "Foo", "bar", "latest"},
      {"DOCKER/docker", "DOCKER", "docker", "latest"},
      {"LOCALDOMAIN/x", "LOCALDOMAIN", "x", "latest"},
      {"lowercase:Uppercase", "docker.io", "library/lowercase", "Uppercase"},
      {"foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080"},
      {"foo/foo_bar.com:8080", "docker.io", "foo/foo_bar.com", "8080"},
      {"[2001:db8::1]:5000/repo", "[2001:db8::1]:5000", "repo", "latest"},
      {"[::1]/repo", "[::1]", "repo", "latest"},
      {"docker__er", "docker.io", "library/docker__er", "latest"},
      {"docker---rules", "docker.io", "library/docker---rules", "latest"},
      {"a.b-c__d", "docker.io", "library/a.b-c__d", "latest"},
      {"xn--7o8h.com/myimage:xn--7o8h.com", "xn--7o8h.com", "myimage", "xn--7o8h.com"},
      {"a:" + long_tag, "docker.io", "library/a", long_tag},
      {"a.com/" + long_path, "a.com", long_path, "latest"},
      {"docker.io/" + k_hex, "docker.io", "library/" + k_hex, "latest"},
      {"a.com:65535/x", "a.com:65535", "x", "latest"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const Reference reference = Reference::parse(row.text);
    CHECK(reference.domain == row.domain);
    CHECK(reference.path == row.path);
    CHECK(reference.tag == row.tag);
    CHECK_FALSE(reference.digest.has_value());
    CHECK(reference.str() == row.domain + "/" + row.path + ":" + row.tag);
    CHECK(Reference::parse(reference.str()) == reference);
  }
}

TEST_CASE("a digest takes the place of latest, and stands beside a tag") {
  const Digest digest = Digest::of("x");
  const Reference bare = Reference::parse("debian@" + digest.str());
  CHECK(bare.tag.empty());
  CHECK(bare.digest == digest);
  CHECK(bare.str() == "docker.io/library/debian@" + digest.str());
  const Reference both = Reference::parse("a.com/b:1@" + digest.str());
  CHECK(both.tag == "1");
  CHECK(both.digest == digest);
  CHECK(Reference::parse(both.str()) == both);
}

TEST_CASE("each class of mistake in a reference has its own text") {
  CHECK(refusal("") == "an empty image reference");
  CHECK(refusal(std::string(1025, 'a')) ==
        "an image reference of 1025 bytes is too long");
  CHECK(refusal(":justtag") ==
        "`:justtag` is no image reference: the repository name is empty");
  CHECK(refused_for("@" + Digest::of("").str(), "the repository name is empty"));
  CHECK(refusal("docker/Docker") ==
        "`docker/Docker` is no image reference: the repository name must be lower case");
  CHECK(refused_for("Uppercase:tag", "the repository name must be lower case"));
  CHECK(refused_for(k_hex, "64 hex digits name an image, not a repository"));
  CHECK(refused_for("a.com/" + std::string(256, 'p'),
                    "the repository name has 256 characters, more than 255"));
  CHECK(refused_for("a:" + std::string(129, 't'), "is not 1 to 128 of"));
  CHECK(refused_for("a:", "the tag `` is not"));
  CHECK(refused_for("a:.b", "the tag `.b` is not"));
  CHECK(refusal("repo@sha256:" + std::string(34, 'f')) ==
        "`repo@sha256:ffffffffffffffffffffffffffffffffff` is no image reference: "
        "the digest has 34 hex digits, not 64");
  CHECK(refused_for("validname@invaliddigest:" + std::string(128, 'f'),
                    "the digest algorithm `invaliddigest` is not supported"));
  CHECK(refused_for("a@sha256:" + std::string(64, 'F'), "no lower-case hex"));
  CHECK(refused_for("a@" + k_hex, "is not of the form sha256:<64 hex digits>"));
  CHECK(refused_for("a@sha256:" + k_hex + "@sha256:" + k_hex, "no lower-case hex"));
}

TEST_CASE("what is no host is refused as a host") {
  for (const char* text :
       {"foo_bar.com:8080/app", "fc00::1:5000/debian", "[fe80::1%eth0]:5000/x",
        "[2001:db8:3:4::192.0.2.33]:5000/x", "https://github.com/docker/docker",
        "[fd00:123123123]/x", "[::1/x:1", "a.com:0/x", "a.com:65536/x", "a.com:/x",
        "-a.com/x", "a..com/x", "[::1]5000/x", "a.com:5:5/x"}) {
    CHECK(refused_for(text, "is no host[:port]"));
  }
}

TEST_CASE("what is no repository name is refused as a name") {
  for (const char* text :
       {"dock..er", "dock_.er", "dock-.er",   "dock.-er",  "dock___er",
        "_docker",  "docker_",  "-x",         "x-",        "[fd00123123123]/x",
        "a//b",     "/a",       "a/",         "[fc00::1]", "[fc00::1]:5000",
        "a b",      "a\tb",     "a/\xc3\xa9", "a:b:c",     "a\n"}) {
    CHECK(refused_for(text, "is not made of words"));
  }
}
