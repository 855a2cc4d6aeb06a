// yaml: the strict subset, and where each offence is.
#include "builder/frontend/yaml.h"

#include "tests/support/catch.h"

using lithify::parse_yaml;
using lithify::YamlNode;

namespace {

struct Refusal {
  std::string id;
  int line;
  int column;
  bool operator==(const Refusal&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
  return out << refusal.id << " " << refusal.line << ":" << refusal.column;
}

oci::Error failure(const std::string& text) {
  try {
    parse_yaml("f", text);
  } catch (const oci::Error& error) {
    return error;
  }
  return {oci::Errc::internal, "was accepted"};
}

Refusal refusal(const std::string& text) {
  const oci::Error error = failure(text);
  INFO(error.what());
  return {error.id(), error.place().line, error.place().column};
}

}  // namespace

TEST_CASE("scalars keep their text") {
  const YamlNode root =
      parse_yaml("f", "a: 1.10\nb: 'yes'\nc: 0755\nd: null\ne:\nf: |\n  x\n  \ty\n");
  CHECK(root.find("a")->text == "1.10");
  CHECK(root.find("b")->text == "yes");
  CHECK(root.find("c")->text == "0755");
  CHECK(root.find("d")->is_null());
  CHECK(root.find("e")->is_null());
  CHECK(root.find("f")->text == "x\n\ty\n");
  CHECK(root.find("f")->multiline);
  CHECK_FALSE(root.find("g"));
}

TEST_CASE("places count lines and code points from one") {
  const YamlNode root =
      parse_yaml("f", "k\xc3\xa4se: {b\xc3\xb6: [x, \"\xe2\x82\xac y\"]}\n");
  const YamlNode& list = *root.entries[0].value.find("b\xc3\xb6");
  CHECK(root.entries[0].key.place().column == 1);
  CHECK(root.entries[0].key.place().length == 4);
  CHECK(list.items[1].place().line == 1);
  CHECK(list.items[1].place().column == 16);
  CHECK(list.items[1].place().length == 5);
  CHECK(list.items[1].place_of("y").column == 19);
  CHECK(root.entries[0].value.place().column == 8);
}

TEST_CASE("a map's place spans its entries on the first line") {
  const YamlNode root = parse_yaml("f", "- {copy: /a, from: b}\n- copy: /a\n  from: b\n");
  CHECK(root.items[0].place().column == 4);
  CHECK(root.items[0].place().length == 17);
  CHECK(root.items[1].place().length == 8);
}

TEST_CASE("what is not in the subset is refused where it stands") {
  CHECK(refusal("a: &x 1\n") == Refusal{"L0005", 1, 4});
  CHECK(refusal("a: 1\nb: *x\n") == Refusal{"L0005", 2, 4});
  CHECK(refusal("a: {<<: {}}\n") == Refusal{"L0006", 1, 5});
  CHECK(refusal("a: !!int 1\n") == Refusal{"L0007", 1, 4});
  CHECK(refusal("a: 1\n---\nb: 2\n") == Refusal{"L0008", 2, 1});
  CHECK(refusal("%YAML 1.2\n---\na: 1\n") == Refusal{"L0009", 1, 1});
  CHECK(refusal("%TAG ! x\n---\na: 1\n") == Refusal{"L0009", 1, 1});
  CHECK(refusal("? [a]\n: 1\n") == Refusal{"L0010", 1, 3});
  CHECK(refusal("{a: 1, : 2}\n").id == "L0010");
  CHECK(refusal("a:\n\tb: 1\n") == Refusal{"L0011", 2, 1});
  CHECK(refusal("a: {\n\tb: 1}\n") == Refusal{"L0011", 2, 1});
  CHECK(refusal("a: 'x\n \ty'\n") == Refusal{"L0011", 2, 2});
  CHECK(refusal("a: \x80\n") == Refusal{"L0001", 1, 4});
  CHECK(refusal("a: \xed\xa0\x80\n") == Refusal{"L0001", 1, 4});
  CHECK(refusal("a: \xc0\x80\n") == Refusal{"L0001", 1, 4});
  CHECK(refusal("\xef\xbb\xbf"
                "a: 1\n") == Refusal{"L0001", 1, 1});
  CHECK(refusal(std::string("a: \0\n", 5)) == Refusal{"L0002", 1, 4});
  CHECK(refusal("a: 1\rb: 2\n") == Refusal{"L0002", 1, 5});
  CHECK(refusal("a: x\xe2\x80\xaey\n") == Refusal{"L0002", 1, 5});
  CHECK(refusal("a: {b: 1\nc: 2\n").id == "L0004");
  CHECK(refusal("a: \"x\n").id == "L0004");
  CHECK(refusal("a: b: c\n").id == "L0004");
}

TEST_CASE("escapes cannot smuggle in what the text may not hold") {
  CHECK(refusal("a: \"\\ud800\"\n").id != "");
  CHECK(parse_yaml("f", "a: \"\\xff\"\n").find("a")->text == "\xc3\xbf");
  CHECK(parse_yaml("f", "a: \"x\\0y\"\n").find("a")->text == std::string("x\0y", 3));
}

TEST_CASE("line ends in a block are newlines, whatever the file has") {
  CHECK(parse_yaml("f", "a: |\r\n  x\r\n  y\r\n").find("a")->text == "x\ny\n");
}

TEST_CASE("CRLF line ends and a document marker are fine") {
  CHECK(parse_yaml("f", "---\r\na: 1\r\nb: x\r\n").find("b")->text == "x");
  CHECK(parse_yaml("f", "").is_null());
  CHECK(parse_yaml("f", "# nothing\n").is_null());
}

TEST_CASE("a duplicate key shows both places") {
  const oci::Error error = failure("m:\n  a: 1\n  b: 2\n  a: 3\n");
  CHECK(error.id() == "L0013");
  CHECK(std::string(error.what()) == "`a` is defined twice");
  CHECK(error.place().line == 4);
  REQUIRE(error.other_places().size() == 1);
  CHECK(error.other_places()[0].place.line == 2);
  CHECK(error.other_places()[0].label == "first definition");
}

TEST_CASE("an unclosed bracket is shown where it opens") {
  const oci::Error error = failure("a:\n  - {b: [1, 2\nc: 3\n");
  CHECK(error.id() == "L0004");
  REQUIRE(error.other_places().size() == 1);
  CHECK(error.other_places()[0].label == "opened here");
  CHECK(error.other_places()[0].place.line == 2);
  CHECK(error.other_places()[0].place.column == 9);
}

TEST_CASE("bombs are refused") {
  CHECK(refusal(std::string(200000, '[')).id == "L0012");
  std::string deep;
  for (int i = 0; i < 40; ++i)
    deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK(refusal(deep).id == "L0012");
  CHECK(refusal(std::string((4 << 20) + 1, ' ')).id == "L0003");
  std::string many = "[";
  for (int i = 0; i < 100001; ++i)
    many += "a,";
  CHECK(refusal(many + "a]").id == "L0003");
}
