// licence: Debian's copyright files in SPDX's words.
#include "builder/attest/licence.h"

#include "builder/attest/paragraphs.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

const std::string k_head =
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
    "Upstream-Name: x\n\n";

// The expression of a file with these licences, each with a `Files` paragraph.
std::string expression(std::initializer_list<std::string_view> synopses) {
  std::string text = k_head;
  for (const std::string_view one : synopses)
    text += "Files: *\nCopyright: me\nLicense: " + std::string(one) + "\n\n";
  const auto licence = read_licence(text, "pkg");
  return licence ? licence->expression : "none";
}

}  // namespace

TEST_CASE("licences of Debian have SPDX's names") {
  CHECK(expression({"GPL-2+"}) == "GPL-2.0-or-later");
  CHECK(expression({"GPL-2"}) == "GPL-2.0-only");
  CHECK(expression({"gpl-3.0+"}) == "GPL-3.0-or-later");
  CHECK(expression({"LGPL-2.1"}) == "LGPL-2.1-only");
  CHECK(expression({"GFDL-NIV-1.3+"}) == "GFDL-1.3-no-invariants-or-later");
  CHECK(expression({"AGPL-3"}) == "AGPL-3.0-only");
  CHECK(expression({"Expat"}) == "MIT");
  CHECK(expression({"BSD-3-clause"}) == "BSD-3-Clause");
  CHECK(expression({"Apache-2.0"}) == "Apache-2.0");
}

TEST_CASE("a package has the licences of all its files, each once and in order") {
  CHECK(expression({"Zlib", "GPL-2+", "Expat", "GPL-2+"}) ==
        "GPL-2.0-or-later AND MIT AND Zlib");
  CHECK(expression({"Expat", "Artistic or GPL-1+"}) ==
        "(Artistic-1.0-Perl OR GPL-1.0-or-later) AND MIT");
}

TEST_CASE("what one file is under twice is said once") {
  CHECK(expression({"GPL-3+ and Expat", "Zlib and GPL-3+"}) ==
        "GPL-3.0-or-later AND MIT AND Zlib");
  CHECK(expression({"Expat and GPL-2+ or Zlib", "Expat"}) ==
        "((MIT AND GPL-2.0-or-later) OR Zlib) AND MIT");
}

TEST_CASE("and binds tighter than or, and a comma loosens") {
  CHECK(expression({"GPL-2+ or Expat and Zlib"}) == "GPL-2.0-or-later OR (MIT AND Zlib)");
  CHECK(expression({"GPL-2+ or Expat, and Zlib"}) ==
        "(GPL-2.0-or-later OR MIT) AND Zlib");
  CHECK(expression({"GPL-2+, or Expat"}) == "GPL-2.0-or-later OR MIT");
  CHECK(expression({"Perl and Expat"}) ==
        "(Artistic-1.0-Perl OR GPL-1.0-or-later) AND MIT");
}

TEST_CASE("what has no order that is written anywhere is left as it stands") {
  const auto licence =
      read_licence(k_head + "Files: *\nLicense: Foo, and Expat, or Zlib\n", "p");
  CHECK(licence->expression == "LicenseRef-p-Foo--and-Expat--or-Zlib");
  CHECK(licence->references.size() == 1);
}

TEST_CASE("exceptions that SPDX knows are kept apart from those it does not") {
  CHECK(expression({"GPL-2+ with Bison exception"}) ==
        "GPL-2.0-or-later WITH Bison-exception-2.2");
  CHECK(expression({"GPL-2+ with OpenSSL exception"}) ==
        "LicenseRef-pkg-GPL-2--with-OpenSSL-exception");
}

TEST_CASE("a licence without a name of SPDX's is referred to by its own") {
  const auto licence = read_licence(
      k_head + "Files: a\nLicense: Custom/1\n\nFiles: b\nLicense: BSD\n", "libstdc++6");
  REQUIRE(licence.has_value());
  CHECK(licence->expression ==
        "LicenseRef-libstdc--6-BSD AND LicenseRef-libstdc--6-Custom-1");
  CHECK(licence->references ==
        std::vector<LicenceReference>{{"LicenseRef-libstdc--6-BSD", "BSD"},
                                      {"LicenseRef-libstdc--6-Custom-1", "Custom/1"}});
}

TEST_CASE("only what files are under counts, not the texts of licences behind") {
  CHECK(read_licence(k_head + "Files: *\nLicense: Expat\n The text\n .\n goes on\n\n"
                              "License: GPL-2\n On Debian systems …\n",
                     "p")
            ->expression == "MIT");
  CHECK(read_licence("Format: http://dep.debian.net/copyright-format/1.0\n"
                     "License: Zlib\n",
                     "p")
            ->expression == "Zlib");
}

TEST_CASE("what is not in the machine-readable format says nothing") {
  CHECK_FALSE(read_licence("", "p"));
  CHECK_FALSE(read_licence("This is free software.\n", "p"));
  CHECK_FALSE(read_licence("Files: *\nLicense: Expat\n", "p"));
  CHECK_FALSE(
      read_licence("Format: https://example.org/\n\nFiles: *\nLicense: X\n", "p"));
  CHECK_FALSE(read_licence(k_head, "p"));
  CHECK_FALSE(read_licence(k_head + "Files: *\nLicense: Expat\nrubbish\n", "p"));
  CHECK_FALSE(read_licence(k_head + "Files: *\nLicense: " + std::string(501, 'x'), "p"));
  CHECK_FALSE(read_licence(k_head + std::string("Files: *\nLicense: a\0b\n", 22), "p"));
}

TEST_CASE("a copyright file with endlessly many licences says nothing") {
  std::string text = k_head;
  for (int i = 0; i < 300; ++i)
    text += "Files: *\nLicense: L" + std::to_string(i) + "\n\n";
  CHECK_FALSE(read_licence(text, "p"));
}

TEST_CASE("operators without a licence beside them do no harm") {
  CHECK(expression({"and"}) == "none");
  CHECK(expression({"or or and ,"}) == "none");
  CHECK(expression({"Expat and"}) == "MIT");
  CHECK(expression({", and Expat"}) == "MIT");
}

TEST_CASE("paragraphs keep what continues, and are refused where they are none") {
  std::vector<std::string> seen;
  const auto read = [&](std::string_view text) {
    seen.clear();
    return read_paragraphs(text, [&](const Paragraph& one) {
      std::string line;
      for (const auto& [name, value] : one.fields)
        line += std::string(name) + "=" + std::string(value) + ";";
      seen.push_back(line);
    });
  };
  CHECK(read("A: 1\nB: x\n y\n# no\n z\n\n\n\nC:\n d\n"));
  CHECK(seen == std::vector<std::string>{"A=1;B=x\n y\n# no\n z;", "C=d;"});
  CHECK(read(""));
  CHECK(read("A: 1\r\n\r\nB: 2"));
  CHECK(seen == std::vector<std::string>{"A=1;", "B=2;"});
  CHECK_FALSE(read(" begins\n"));
  CHECK_FALSE(read("no field\n"));
  CHECK_FALSE(read(": 1\n"));
  std::string many;
  for (int i = 0; i < 1001; ++i)
    many += "F" + std::to_string(i) + ": x\n";
  CHECK_FALSE(read(many));
}
