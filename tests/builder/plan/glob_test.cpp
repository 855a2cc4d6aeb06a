// glob: which paths a pattern means.
#include "builder/plan/glob.h"

#include <chrono>

#include "oci/base/error.h"

#include "tests/support/catch.h"

using lithify::Glob;
using lithify::PathFilter;

TEST_CASE("wildcards stay within a component, ** does not") {
  struct Case {
    const char* pattern;
    const char* path;
    bool matches;
  };
  const Case cases[] = {
      {"a", "a", true},
      {"a", "b", false},
      {"a", "a/b", false},
      {"/a/", "a", true},
      {"./a", "a", true},
      {"*", "a", true},
      {"*", ".hidden", true},
      {"*", "a/b", false},
      {"*.c", "main.c", true},
      {"*.c", "main.cc", false},
      {"a*b*c", "axxbyyc", true},
      {"a*b*c", "axxbyy", false},
      {"?", "a", true},
      {"?", "ab", false},
      {"?", "\xc3\xa9", true},
      {"??", "\xc3\xa9", false},
      {"[a-c]x", "bx", true},
      {"[a-c]x", "dx", false},
      {"[*]", "*", true},
      {"[*]", "a", false},
      {"[]]", "]", true},
      {"[a-]", "-", true},
      {"[\xc3\xa0-\xc3\xaf]", "\xc3\xa9", true},
      {"**", "a", true},
      {"**", "a/b/c", true},
      {"**", "", false},
      {"a/**", "a/b", true},
      {"a/**", "a/b/c", true},
      {"a/**", "a", false},
      {"a/**", "b/a/c", false},
      {"**/a", "a", true},
      {"**/a", "x/y/a", true},
      {"**/a", "x/ya", false},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/**/b", "a/x/y/c", false},
      {"**/*.pyc", "lib/x.pyc", true},
      {"**/x/**", "a/x/b", true},
      {"**/x/**", "a/x", false},
      {"**/**/a", "a", true},
      {"a**b", "axxb", true},
      {"a**b", "ax/xb", false},
      {".", "", true},
      {".", "a", false},
      {"a\\*", "a\\b", true},
  };
  for (const Case& c : cases) {
    INFO(c.pattern << " on " << c.path);
    CHECK(Glob(c.pattern).matches(c.path) == c.matches);
  }
}

TEST_CASE("a glob knows what it says of whole directories") {
  CHECK(Glob("a/**").covers("a"));
  CHECK(Glob("a/**").covers("a/b"));
  CHECK_FALSE(Glob("a/*").covers("a"));
  CHECK(Glob("a/*/c").reaches_below("a"));
  CHECK(Glob("a/*/c").reaches_below("a/b"));
  CHECK_FALSE(Glob("a/*/c").reaches_below("a/b/c"));
  CHECK_FALSE(Glob("a/*/c").reaches_below("b"));
  CHECK(Glob("a/./b//c/").literal() == "a/b/c");
  CHECK(Glob("a/b").is_literal());
  CHECK_FALSE(Glob("a/[b]").is_literal());
}

TEST_CASE("patterns that mean nothing are refused") {
  for (const char* const pattern :
       {"", "/", "a/../b", "[a", "a[", "[!a]", "[^a]", "[]"}) {
    INFO(pattern);
    CHECK_THROWS_AS(Glob(pattern), oci::Error);
  }
  CHECK_THROWS_AS(Glob(std::string(1025, 'a')), oci::Error);
  std::string deep;
  for (int i = 0; i < 61; ++i)
    deep += "a/";
  CHECK_THROWS_AS(Glob(deep), oci::Error);
  CHECK_NOTHROW(Glob(deep.substr(2)));
}

TEST_CASE("nasty patterns take no nasty time") {
  std::string pattern;
  for (int i = 0; i < 28; ++i)
    pattern += "**/*a*a*a*/";
  pattern += "b";
  std::string path;
  for (int i = 0; i < 200; ++i)
    path += "aaaaaaaaaaaaaaaaaaaa/";
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(Glob(pattern).matches(path + "c"));
  CHECK_FALSE(Glob("*a*a*a*a*a*a*a*a*a*a*b").matches(std::string(4000, 'a')));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("a filter takes what is included and not excluded, directories with content") {
  const PathFilter filter({"src/**", "*.md", "docs"}, {"**/*.tmp", "src/build/**"});
  CHECK(filter.takes("src"));
  CHECK(filter.takes("src/a.c"));
  CHECK(filter.takes("README.md"));
  CHECK(filter.takes("docs/deep/x"));
  CHECK_FALSE(filter.takes("src/a.tmp"));
  CHECK_FALSE(filter.takes("src/build"));
  CHECK_FALSE(filter.takes("src/build/x"));
  CHECK_FALSE(filter.takes("other"));
  CHECK_FALSE(filter.descends("other"));
  CHECK_FALSE(filter.descends("src/build"));
  CHECK(filter.descends("src/x"));
  CHECK(PathFilter({"a/b/c"}, {}).descends("a/b"));
  CHECK_FALSE(PathFilter({"a/b/c"}, {}).takes("a/b"));
  CHECK(PathFilter().takes("anything"));
  CHECK(PathFilter({"."}, {}).takes("anything"));
  CHECK_FALSE(PathFilter({}, {"**"}).takes("anything"));
}
