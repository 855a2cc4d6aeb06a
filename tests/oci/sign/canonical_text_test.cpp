// canonical_text: says yes to what canonical_json() writes, and to nothing else.
#include "oci/sign/canonical_text.h"

#include <nlohmann/json.hpp>

#include "oci/base/json.h"

#include "tests/support/catch.h"

using namespace oci;

TEST_CASE("what is written canonically is known as such") {
  for (const char* text :
       {"{}", "[]", "null", "true", "-7", "18446744073709551615", R"("a")",
        R"({"A":1,"_b":[],"a":{"x":[null,false,{}]},"b":"ü\n\"\\"})", R"([[],[1,2],{}])",
        R"({"":"","a":""})", R"(["\u0001\u007f"])"}) {
    INFO(text);
    CHECK(is_canonical_json(text) == (canonical_json(parse_json(text, "text")) == text));
  }
  CHECK(is_canonical_json(R"({"a":[{"b":1},{"b":2}],"c":""})"));
}

TEST_CASE("what would be written otherwise is not canonical") {
  for (const char* text :
       {"", " {}", "{} ", "{ }", "[1, 2]", R"({"b":1,"a":2})", R"({"a":1,"a":1})", "1.0",
        "1e3", "-0", R"("\u0041")", R"("\/")", R"("\u00fc")", "{", "[1,]", "nul",
        R"({"a":1}{"b":2})", "\"\xff\"", "01"}) {
    INFO(text);
    CHECK_FALSE(is_canonical_json(text));
  }
  CHECK(is_canonical_json(std::string(64, '[') + std::string(64, ']')));
  CHECK_FALSE(is_canonical_json(std::string(65, '[') + std::string(65, ']')));
}
