// deb822: stanzas, and what is none.
#include "builder/resolve/deb822.h"

#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace lithify;

TEST_CASE("stanzas are read one after the other") {
  Deb822Reader reader(
      "\n# a comment\nPackage: a\nDepends: b,\n c\n# more\nSize:  7 \n\n \nPackage: d",
      "Packages");
  Stanza stanza;
  REQUIRE(reader.next(stanza));
  CHECK(stanza.line() == 3);
  CHECK(stanza.fields().size() == 3);
  CHECK(stanza.get("package") == "a");
  CHECK(stanza.get("Depends") == "b,\n c");
  CHECK(stanza.get("Size") == "7");
  CHECK(stanza.get("Nothing").empty());
  REQUIRE(reader.next(stanza));
  CHECK(stanza.get("Package") == "d");
  CHECK(stanza.line() == 10);
  CHECK_FALSE(reader.next(stanza));
}

TEST_CASE("a field may start on its second line") {
  Deb822Reader reader("SHA256:\n aa 1 x\n bb 2 y\n", "Release");
  Stanza stanza;
  REQUIRE(reader.next(stanza));
  CHECK(stanza.get("SHA256") == "aa 1 x\n bb 2 y");
  CHECK(split_words(stanza.get("SHA256")).size() == 6);
}

TEST_CASE("a line that is no field is refused at its place") {
  const std::string texts[] = {"A: 1\nnonsense\n", "A: 1\n: 2\n", "A: 1\nB C: 2\n",
                               "A: 1\na: 2\n", "\n lonely: 1\n"};
  for (const std::string& text : texts) {
    CAPTURE(text);
    Deb822Reader reader(text, "file");
    Stanza stanza;
    try {
      while (reader.next(stanza)) {
      }
      FAIL("accepted");
    } catch (const oci::Error& e) {
      CHECK(e.code() == oci::Errc::bad_input);
      CHECK(e.place().file == "file");
      CHECK(e.place().line == 2);
    }
  }
}
