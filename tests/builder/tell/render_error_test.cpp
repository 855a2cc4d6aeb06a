#include "builder/tell/render_error.h"

#include <sstream>

#include "builder/tell/text.h"

#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace lithify {
namespace {

using oci::Errc;
using oci::Error;

SourceTexts texts() {
  std::string file;
  for (int i = 1; i <= 40; ++i)
    file += "#\n";
  file += "    entrypiont: [/hello]\n";
  file += "      - packages: [libpq5, libssl3=3.2.*]\r\n";
  file += "  名前: [\"é\", x]\n";
  file += "  " + std::string(150, 'a') + " bad: here " + std::string(60, 'b') + "\n";
  file += "\tname: \x1b[31mred\n";
  SourceTexts texts;
  texts.add("lithify.yaml", file);
  texts.add("common/debian.yaml", "a: 1\nb: 2\n  debian: {apt: {}}\n");
  return texts;
}

TEST_CASE("an error with a place shows the line, the caret and the help") {
  Error error(Errc::bad_input, "unknown field `entrypiont` in `config`");
  error.at({"lithify.yaml", 41, 5, 10}, "not a field of `config`").number("L0021");
  error.add_hint("did you mean `entrypoint`?");
  check_golden("cli/unknown_field.txt", render_error(error, texts()));
}

TEST_CASE("an error may have two places") {
  Error error(Errc::bad_input, "`debian` is defined twice");
  error.at({"lithify.yaml", 42, 9, 8}, "second definition").number("L0013");
  error.also_at({"common/debian.yaml", 3, 3, 6}, "first definition");
  error.add_hint("rename one, or add `override: true` to the second");
  check_golden("cli/defined_twice.txt", render_error(error, texts()));
}

TEST_CASE("long notes are wrapped and contexts are told after them") {
  Error error(Errc::bad_input, "no version of `libssl3` satisfies the request");
  error.at({"lithify.yaml", 42, 27, 13}).number("L0203");
  error.add_note(
      "because `debian` (bookworm, snapshot 20261101) offers only libssl3 "
      "3.0.22-1~deb12u2 and "
      "`libpq5` needs libssl3 (>= 3.0.0), which that version satisfies");
  error.add_context("resolving `hello` for linux/amd64").add_context("building hello");
  error.add_hint("drop the version, or add a source with a newer suite");
  check_golden("cli/unsatisfied.txt", render_error(error, texts()));
}

TEST_CASE("carets stand below wide and composed characters") {
  Error error(Errc::bad_input, "`x` is not a number");
  error.at({"lithify.yaml", 43, 14, 1}, "here");
  check_golden("cli/wide.txt", render_error(error, texts()));
}

TEST_CASE("a long source line is cropped around the caret") {
  Error error(Errc::bad_input, "unknown field `bad`");
  error.at({"lithify.yaml", 44, 154, 3}, "not a field");
  const std::string text = render_error(error, texts());
  check_golden("cli/long_line.txt", text);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    CHECK(display_width(line) <= 100);
}

TEST_CASE("nothing in an error can steer a terminal") {
  Error error(Errc::bad_input, "bad\x1b]0;owned\x07 name\nerror: forged");
  error.at({"lithify.yaml", 45, 2, 4}, "l\x1b[2Jabel\xe2\x80\xae");
  error.add_note("two\nlines \x9b").add_context("reading \r evil");
  error.add_hint("type \x1b[8m rm");
  const std::string text = render_error(error, texts());
  check_golden("cli/hostile.txt", text);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\xe2\x80\xae") == std::string::npos);
}

TEST_CASE("an error without a place is a headline and its story") {
  Error error(Errc::unavailable, "mirror.example did not answer");
  error.add_context("fetching bash_5.2.deb")
      .add_hint("try again, or build with --offline");
  check_golden("cli/no_place.txt", render_error(error, {}));
}

TEST_CASE("colour adds escapes and no characters") {
  Error error(Errc::bad_input, "unknown field `entrypiont` in `config`");
  error.at({"lithify.yaml", 41, 5, 10}, "not a field").number("L0021");
  const std::string plain = render_error(error, texts());
  std::string coloured = render_error(error, texts(), {true, 100});
  CHECK(coloured != plain);
  for (std::size_t at; (at = coloured.find('\x1b')) != std::string::npos;) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  CHECK(coloured == plain);
}

TEST_CASE("a file that is not at hand still gives its name and label") {
  Error error(Errc::bad_input, "cannot read it");
  error.at({"gone.yaml", 0, 1, 1}, "the build file");
  check_golden("cli/no_text.txt",
               render_error(error, {}, {}, Problem::Severity::warning));
}

TEST_CASE("each kind of error has its exit code") {
  CHECK(exit_code(Error(Errc::bad_input, "")) == 2);
  CHECK(exit_code(Error(Errc::not_found, "")) == 2);
  CHECK(exit_code(Error(Errc::mismatch, "")) == 4);
  CHECK(exit_code(Error(Errc::untrusted, "")) == 4);
  CHECK(exit_code(Error(Errc::denied, "")) == 6);
  CHECK(exit_code(Error(Errc::refused, "")) == 3);
  CHECK(exit_code(Error(Errc::stale, "")) == 5);
  CHECK(exit_code(Error(Errc::unavailable, "")) == 6);
  CHECK(exit_code(Error(Errc::machine, "")) == 7);
  CHECK(exit_code(Error(Errc::internal, "")) == 70);
}

TEST_CASE("sizes are told in two digits") {
  CHECK(human_size(0) == "0 B");
  CHECK(human_size(999) == "999 B");
  CHECK(human_size(1000) == "1.0 kB");
  CHECK(human_size(41'700'000) == "41 MB");
  CHECK(human_size(UINT64_MAX) == "18 EB");
}

TEST_CASE("widths and prefixes count columns") {
  CHECK(display_width("名前") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(fitting_prefix("名前", 3) == "名");
  CHECK(wrap("aaa bbb ccc", 7, 3) == std::vector<std::string>{"aaa bbb", "ccc"});
  CHECK(wrap("  a\nb", 9, 9) == std::vector<std::string>{"  a", "b"});
}

}  // namespace
}  // namespace lithify
