// json: what strict reading refuses, and what canonical writing writes.
#include "oci/base/json.h"

#include <nlohmann/json.hpp>

#include "oci/base/error.h"

#include "tests/support/catch.h"

namespace {

std::string refusal(const std::string& text) {
  try {
    return "accepted: " + oci::canonical_json(oci::parse_json(text, "doc"));
  } catch (const oci::Error& e) {
    CHECK(e.code() == oci::Errc::bad_input);
    return e.what();
  }
}

std::string nested(int depth) {
  const auto levels = static_cast<std::size_t>(depth);
  return std::string(levels, '[') + std::string(levels, ']');
}

}  // namespace

TEST_CASE("canonical JSON has sorted keys, no white space and minimal escapes") {
  CHECK(refusal(R"( { "b" : [ 1 , -2 , true , null ] , "a" : "\u00e4\u0001\/\n\"" } )") ==
        "accepted: {\"a\":\"\xc3\xa4\\u0001/\\n\\\"\",\"b\":[1,-2,true,null]}");
}

TEST_CASE("ambiguous and oversized JSON is refused") {
  CHECK(refusal(R"({"a":1,"b":{"a":1},"a":2})") == "doc has the key `a` twice");
  CHECK(refusal(nested(64)).rfind("accepted", 0) == 0);
  CHECK(refusal(nested(65)) == "doc nests deeper than 64");
  CHECK(refusal(nested(2'000'000)) == "doc nests deeper than 64");
  CHECK(refusal(std::string(8 * 1024 * 1024 + 1, ' ')) ==
        "doc has 8388609 bytes, more than the 8388608 allowed");
  for (const char* text : {"", "{", "{}x", "{'a':1}", "[1,]", "01", "nul", "\"\xff\"",
                           "\"\xed\xa0\x80\"", "{\"a\":1}{\"a\":1}"}) {
    CHECK(refusal(text).rfind("doc is not valid JSON: byte ", 0) == 0);
    CHECK(refusal(text).find("exception") == std::string::npos);
  }
}

TEST_CASE("a list of very many objects is read in time") {
  std::string text = "[{}";
  for (int i = 0; i < 300'000; ++i)
    text += ",{}";
  CHECK(oci::parse_json(text + "]", "doc").size() == 300'001);
}

TEST_CASE("a fraction cannot be canonical") {
  try {
    oci::canonical_json(nlohmann::json{{"a", {0.5}}});
    FAIL("no error was thrown");
  } catch (const oci::Error& e) {
    CHECK(e.code() == oci::Errc::internal);
  }
}
