// Texts cut between characters.
#include "oci/base/utf8.h"

#include "tests/support/catch.h"

using oci::whole_characters;

TEST_CASE("a text is cut between characters") {
  CHECK(whole_characters("abc", 3) == "abc");
  CHECK(whole_characters("abc", 2) == "ab");
  CHECK(whole_characters("abc", 0).empty());
  const std::string text = "a\u00e9\U0001F600z";  // 1, 2, 4 and 1 bytes
  CHECK(whole_characters(text, 2) == "a");
  CHECK(whole_characters(text, 3) == "a\u00e9");
  for (std::size_t most : {4, 5, 6})
    CHECK(whole_characters(text, most) == "a\u00e9");
  CHECK(whole_characters(text, 7) == text.substr(0, 7));
  CHECK(whole_characters(text, 100) == text);
}
