// archive_reader: what a user may want unpacked, in every dress.
#include <clocale>
#include <cstdlib>

#include "oci/layer/layer_reader.h"

#include "tests/oci/layer/hostile_tar.h"
#include "tests/oci/layer/layer_doubles.h"
#include "tests/support/catch.h"

using namespace layer_test;
using oci::FileType;

namespace {

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i)
    text += static_cast<char>(value >> (8 * i));
  return text;
}

std::uint32_t crc32(const std::string& text) {
  std::uint32_t crc = ~0U;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
  }
  return ~crc;
}

struct ZipMember {
  std::string name;
  std::string content;
  std::uint32_t mode;
};

// PKWARE's APPNOTE, stored members made on Unix, names in UTF-8, 2020-06-01 12:00.
std::string zip(const std::vector<ZipMember>& members) {
  std::string body;
  std::string directory;
  for (const ZipMember& m : members) {
    const std::string common =
        little(20, 2) + little(0x800, 2) + little(0, 2) + little(0x6000, 2) +
        little(0x50c1, 2) + little(crc32(m.content), 4) + little(m.content.size(), 4) +
        little(m.content.size(), 4) + little(m.name.size(), 2) + little(0, 2);
    directory += "PK\1\2" + little(0x0314, 2) + common + little(0, 2) + little(0, 2) +
                 little(0, 2) + little(std::uint64_t{m.mode} << 16, 4) +
                 little(body.size(), 4) + m.name;
    body += "PK\3\4" + common + m.name + m.content;
  }
  return body + directory + "PK\5\6" + little(0, 4) + little(members.size(), 2) +
         little(members.size(), 2) + little(directory.size(), 4) +
         little(body.size(), 4) + little(0, 2);
}

std::string padded(std::string text, std::size_t width) {
  text.resize(width, ' ');
  return text;
}

std::string ar(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string text = "!<arch>\n";
  for (const auto& [name, content] : members) {
    text += padded(name, 16) + padded("1234567", 12) + padded("0", 6) + padded("0", 6) +
            padded("100644", 8) + padded(std::to_string(content.size()), 10) + "`\n" +
            content + (content.size() % 2 ? "\n" : "");
  }
  return text;
}

void check_three(const Members& members) {
  REQUIRE(members.size() == 3);
  CHECK(members[0].first.path == "d");
  CHECK(members[0].first.type == FileType::directory);
  CHECK(members[1].first.path ==
        "d/gr\xc3\xbc\xc3\x9f"
        "e");
  CHECK(members[1].first.attributes.mode == 0755);
  CHECK(members[1].first.attributes.mtime == 315532800);
  CHECK(members[1].second == "hello");
  CHECK(members[2].first.type == FileType::symlink);
  CHECK(members[2].first.link == "../else");
  CHECK(members[2].first.size == 0);
}

const std::vector<ZipMember>& three() {
  static const std::vector<ZipMember> members{{"d/", "", 0040755},
                                              {"d/gr\xc3\xbc\xc3\x9f"
                                               "e",
                                               "hello", 0100755},
                                              {"l", "../else", 0120777}};
  return members;
}

}  // namespace

TEST_CASE("a zip is read by its central directory, in any locale and time zone") {
  for (const char* zone : {"UTC", "Pacific/Auckland"}) {
    ::setenv("TZ", zone, 1);
    for (const char* locale : {"C", "C.UTF-8", "C"}) {
      std::setlocale(LC_ALL, locale);
      check_three(archive_members(zip(three())));
    }
  }
  ::unsetenv("TZ");
}

TEST_CASE("an empty zip has no members") {
  CHECK(archive_members(zip({})).empty());
}

// libarchive's reader of cpio allocates what a header claims, gigabytes if it says so.
TEST_CASE("a cpio archive is refused") {
  CHECK(archive_refusal("070701" + std::string(104, '0')) != "");
}

TEST_CASE("an ar archive, like a .deb, is read in order") {
  const Members members = archive_members(ar(
      {{"debian-binary", "2.0\n"}, {"control.tar.gz", "abc"}, {"data.tar.xz/", "defg"}}));
  REQUIRE(members.size() == 3);
  CHECK(members[0].first.path == "debian-binary");
  CHECK(members[0].second == "2.0\n");
  CHECK(members[1].second == "abc");
  CHECK(members[2].first.path == "data.tar.xz");
  CHECK(members[2].second == "defg");
}

TEST_CASE("in an archive whiteout names are files and a later member replaces") {
  const Members members =
      archive_members(raw({.name = ".wh.a"}) + raw({.name = "a", .content = "1"}) +
                      raw({.name = "./a", .content = "22"}) +
                      raw({.name = "a", .type = '2', .link = "b"}) + end());
  REQUIRE(members.size() == 4);
  CHECK(members[0].first.type == FileType::regular);
  CHECK(members[0].first.path == ".wh.a");
  CHECK(members[2].second == "22");
  CHECK(members[3].first.type == FileType::symlink);
}

TEST_CASE("members of zip and ar obey the same rules") {
  for (const char* name : {"../a", "/etc/passwd", "a/../../b"}) {
    CHECK(archive_refusal(zip({{name, "x", 0100644}})) != "");
  }
  CHECK(archive_refusal(ar({{"..", "x"}})) != "");
  CHECK(archive_refusal(zip({{"a", "/etc", 0120777}, {"a/b", "x", 0100644}})) != "");
  CHECK(archive_refusal(zip(three()), {.content = 4}) != "");
  CHECK(archive_refusal(zip(three()), {.entries = 2}) != "");
}

TEST_CASE("damaged archives are refused") {
  const std::string whole = zip(three());
  std::string wrong = whole;
  wrong[wrong.find("hello")] = 'j';
  CHECK(archive_refusal(wrong) != "");
  CHECK(archive_refusal(whole.substr(0, whole.size() / 2)) != "");
  CHECK(archive_refusal(ar({{"a", "some content"}}).substr(0, 75)) != "");
  CHECK(archive_refusal("#!/bin/sh\necho no archive\n") != "");
  CHECK(archive_refusal(text_of(5000, 1)) != "");
}
