// json: one way to write a document, and few ways to be read as one.
#include "oci/base/json.h"

#include <nlohmann/json.hpp>

#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace oci;

TEST_CASE("canonical JSON has sorted keys and no white space") {
  const auto value = parse_json(R"({ "b": [1, true, null], "a": "ü\u0007\"" })", "test");
  CHECK(canonical_json(value) == R"({"a":"ü\u0007\"","b":[1,true,null]})");
}

TEST_CASE("floating point numbers cannot be written") {
  CHECK_THROWS_AS(canonical_json(nlohmann::json{{"a", {0.5}}}), Error);
}

TEST_CASE("what two readers could read differently is refused") {
  CHECK_THROWS_AS(parse_json(R"({"a":1,"a":2})", "test"), Error);
  CHECK_THROWS_AS(parse_json(R"({"a":{"b":1,"b":2}})", "test"), Error);
  CHECK_NOTHROW(parse_json(R"({"a":{"b":1},"c":{"b":2}})", "test"));
  CHECK_THROWS_AS(parse_json("{} {}", "test"), Error);
  CHECK_THROWS_AS(parse_json("\"\xff\"", "test"), Error);
  CHECK_THROWS_AS(parse_json("", "test"), Error);
}

TEST_CASE("depth and size have limits") {
  CHECK_NOTHROW(parse_json(std::string(60, '[') + std::string(60, ']'), "test"));
  CHECK_THROWS_AS(parse_json(std::string(70, '[') + std::string(70, ']'), "test"), Error);
  CHECK_THROWS_AS(parse_json(std::string(1'000'000, '['), "test"), Error);
  CHECK_THROWS_AS(parse_json(std::string(k_max_json + 1, ' '), "test"), Error);
}
