// secret_mask: secrets are not told, however the text comes.
#include "builder/command/secret_mask.h"

#include "tests/support/catch.h"

using lithify::SecretMask;

namespace {

std::string masked(std::vector<std::string> secrets, const std::string& text,
                   std::size_t piece) {
  SecretMask mask(std::move(secrets));
  std::string told;
  for (std::size_t at = 0; at < text.size(); at += piece)
    told += mask.pass(std::string_view(text).substr(at, piece));
  return told + mask.rest();
}

}  // namespace

TEST_CASE("a secret is masked, in whatever pieces it comes") {
  const std::string text = "a hunter2 b hunter2hunter2 hunter hunte";
  for (std::size_t piece = 1; piece <= text.size(); ++piece)
    CHECK(masked({"hunter2\n"}, text, piece) == "a *** b ****** hunter hunte");
}

TEST_CASE("the longest of several secrets is masked, and those that begin alike too") {
  const std::string text = "abcdefgh abcdef abcabcdefgh";
  for (std::size_t piece = 1; piece <= text.size(); ++piece)
    CHECK(masked({"abcdef", "abcdefgh"}, text, piece) == "*** *** abc***");
}

TEST_CASE("secrets of several lines are masked as a whole") {
  CHECK(masked({"-----BEGIN\nkey\n-----END\n\n"}, "x -----BEGIN\nkey\n-----END\ny", 3) ==
        "x ***\ny");
}

TEST_CASE("what is too short to be a secret masks nothing") {
  CHECK(masked({"", "\n", "abc"}, "abc", 1) == "abc");
  CHECK(masked({}, "all of it", 2) == "all of it");
}

TEST_CASE("nothing waits that cannot become a secret") {
  SecretMask mask({"hunter2"});
  CHECK(mask.pass("line\n") == "line\n");
  CHECK(mask.pass("hun") == "");
  CHECK(mask.pass("g\n") == "hung\n");
  CHECK(mask.rest().empty());
}
