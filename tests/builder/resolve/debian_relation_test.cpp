// debian_relation: the grammar of Depends.
#include "builder/resolve/debian_relation.h"

#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

std::vector<std::string> read(const std::string& text) {
  std::vector<std::string> all;
  for (const Alternatives& group : parse_relations(text, "amd64", "Depends of x"))
    all.push_back(to_string(group));
  return all;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("relations are read with alternatives, versions and qualifiers") {
  CHECK(read("") == Strings{});
  CHECK(read("a, b") == Strings{"a", "b"});
  CHECK(read(" a|b(>=1) ,\n c:any ( << 2:3~x ),") ==
        Strings{"a | b (>= 1)", "c:any (<< 2:3~x)"});
  CHECK(read("a (< 1), b (> 2), c (= 3)") == Strings{"a (<= 1)", "b (>= 2)", "c (= 3)"});
}

TEST_CASE("an architecture list chooses") {
  CHECK(read("a [amd64], b [i386], c [!amd64], d [!i386], e [linux-any]") ==
        Strings{"a", "d", "e"});
  CHECK(read("a [i386] | b") == Strings{"b"});
}

TEST_CASE("a relation admits versions") {
  const auto admits = [](const std::string& text, const std::string& version) {
    return parse_relations(text, "amd64", "x").at(0).at(0).admits(version);
  };
  CHECK(admits("a", "1"));
  CHECK(admits("a (>= 1)", "1"));
  CHECK_FALSE(admits("a (>> 1)", "1"));
  CHECK(admits("a (<< 1)", "1~"));
  CHECK_FALSE(admits("a (= 1)", "1.0"));
  CHECK(admits("a (<= 1)", "1"));
}

TEST_CASE("what is no relation is refused") {
  for (const char* text : {"a b", "a (1)", "a (>= )", "a (>= 1", "(>= 1)", "a |",
                           "a <!x>", "a:", "a [amd64", "ä"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read(text), oci::Error);
  }
}
