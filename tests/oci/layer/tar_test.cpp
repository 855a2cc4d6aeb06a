// tar: headers of format 1, field by field.
#include "oci/layer/tar.h"

#include "oci/base/error.h"
#include "oci/layer/tar_reader.h"

#include "tests/oci/layer/layer_doubles.h"
#include "tests/support/catch.h"

using layer_test::entry;
using oci::Entry;
using oci::FileType;
using oci::tar_header;

namespace {

std::string name_field(const std::string& block) {
  return std::string(block.substr(0, 100).c_str());
}

// The records of the pax header that comes first, or nothing.
std::string pax_of(const std::string& header) {
  if (header.at(156) != 'x') return "";
  const std::size_t size = std::stoul(header.substr(124, 11), nullptr, 8);
  return header.substr(512, size);
}

}  // namespace

TEST_CASE("an ordinary file has one block and no pax header") {
  Entry e = entry("etc/passwd", FileType::regular);
  e.size = 0755;
  e.attributes.uid = 1000;
  e.attributes.gid = 2097151;
  const std::string header = tar_header(e);
  REQUIRE(header.size() == 512);
  CHECK(name_field(header) == "etc/passwd");
  CHECK(header.substr(100, 8) == std::string("0000644\0", 8));
  CHECK(header.substr(108, 8) == std::string("0001750\0", 8));
  CHECK(header.substr(116, 8) == std::string("7777777\0", 8));
  CHECK(header.substr(124, 12) == std::string("00000000755\0", 12));
  CHECK(header.substr(136, 12) == std::string("02263523000\0", 12));
  CHECK(header[154] == '\0');
  CHECK(header[155] == ' ');
  CHECK(header[156] == '0');
  CHECK(header.substr(257, 8) == std::string("ustar\00000", 8));
  CHECK(header.substr(265, 64) == std::string(64, '\0'));  // no names of users
  CHECK(header.substr(329, 16) == std::string("0000000\0000000000\0", 16));
  CHECK(header.substr(345) == std::string(167, '\0'));
}

TEST_CASE("a directory's name ends with a slash, the root's is ./") {
  CHECK(name_field(tar_header(entry("a/b", FileType::directory))) == "a/b/");
  CHECK(name_field(tar_header(entry("", FileType::directory))) == "./");
}

TEST_CASE("names up to 100 bytes fill the field, longer ones are split at a slash") {
  const std::string hundred(100, 'n');
  CHECK(tar_header(entry(hundred, FileType::regular)).substr(0, 100) == hundred);

  const std::string header = tar_header(entry("dir/" + hundred, FileType::regular));
  REQUIRE(header.size() == 512);
  CHECK(header.substr(0, 100) == hundred);
  CHECK(std::string(header.substr(345, 155).c_str()) == "dir");
}

TEST_CASE("the split is at the last slash that leaves a prefix that fits") {
  const std::string a(100, 'a');
  const std::string b(54, 'b');
  const std::string c(90, 'c');
  const std::string header =
      tar_header(entry(a + "/" + b + "/" + c + "/d", FileType::directory));
  REQUIRE(header.size() == 512);
  CHECK(header.substr(345, 155) == a + "/" + b);
  CHECK(name_field(header) == c + "/d/");
}

TEST_CASE("a directory's trailing slash is no place to split") {
  const std::string name(100, 'n');
  const std::string header = tar_header(entry(name, FileType::directory));
  CHECK(pax_of(header) == "111 path=" + name + "/\n");
}

TEST_CASE("a name that cannot be split goes into a pax record") {
  const std::string name(101, 'n');
  const std::string header = tar_header(entry(name, FileType::regular));
  REQUIRE(header.size() == 3 * 512);
  CHECK(name_field(header) == "PaxHeader");
  CHECK(pax_of(header) == "111 path=" + name + "\n");
  CHECK(header.substr(1024, 100) == name.substr(0, 100));
}

TEST_CASE("UTF-8 and other bytes stand in the ustar name as they are") {
  for (const std::string name : {"gr\xc3\xbc\xc3\x9f"
                                 "e",
                                 "caf\xe9"}) {
    const std::string header = tar_header(entry(name, FileType::regular));
    CHECK(header.size() == 512);
    CHECK(name_field(header) == name);
  }
}

TEST_CASE("a long name that is not UTF-8 says so in its pax header") {
  const std::string name = "caf\xe9" + std::string(100, 'n');
  CHECK(pax_of(tar_header(entry(name, FileType::regular))) ==
        "21 hdrcharset=BINARY\n114 path=" + name + "\n");
}

TEST_CASE("numbers that do not fit become pax records and zeros") {
  Entry e = entry("f", FileType::regular);
  e.size = 8589934592;
  e.attributes.uid = 2097152;
  e.attributes.gid = 4294967295;
  e.attributes.mtime = -1;
  const std::string header = tar_header(e);
  CHECK(pax_of(header) ==
        "18 gid=4294967295\n12 mtime=-1\n19 size=8589934592\n15 uid=2097152\n");
  CHECK(header.substr(1024 + 124, 12) == std::string("00000000000\0", 12));
  CHECK(header.substr(1024 + 136, 12) == std::string("00000000000\0", 12));
}

TEST_CASE("extended attributes are sorted records; security labels are left out") {
  Entry e = entry("f", FileType::regular);
  e.attributes.xattrs = {{"user.b", "2"},
                         {"user.a", std::string("\0\n=", 3)},
                         {"security.selinux", "label"},
                         {"security.capability", "c"}};
  CHECK(pax_of(tar_header(e)) == "38 SCHILY.xattr.security.capability=c\n" +
                                     std::string("27 SCHILY.xattr.user.a=\0\n=\n", 27) +
                                     "25 SCHILY.xattr.user.b=2\n");
}

TEST_CASE("a pax record counts its own length") {
  for (std::size_t length = 1; length < 1100; ++length) {
    Entry e = entry("l", FileType::symlink, std::string(100 + length, 'x'));
    const std::string records = pax_of(tar_header(e));
    CHECK(std::stoul(records) == records.size());
  }
}

TEST_CASE("links, devices and pipes") {
  const std::string link = tar_header(entry("l", FileType::symlink, "/etc/x"));
  CHECK(link[156] == '2');
  CHECK(std::string(link.substr(157, 100).c_str()) == "/etc/x");
  const std::string hard = tar_header(entry("m", FileType::hardlink, "a/l"));
  CHECK(hard[156] == '1');
  CHECK(std::string(hard.substr(157, 100).c_str()) == "a/l");
  Entry device = entry("null", FileType::char_device);
  device.device_major = 1;
  device.device_minor = 3;
  const std::string header = tar_header(device);
  CHECK(header[156] == '3');
  CHECK(header.substr(329, 16) == std::string("0000001\0000000003\0", 16));
  CHECK(tar_header(entry("p", FileType::fifo))[156] == '6');
  CHECK(tar_header(entry("b", FileType::block_device))[156] == '4');
}

TEST_CASE("whiteouts are empty files with names of their own and no attributes") {
  Entry gone = entry("a/b", FileType::whiteout);
  gone.attributes.uid = 7;
  gone.attributes.xattrs = {{"user.x", "y"}};
  const std::string header = tar_header(gone);
  REQUIRE(header.size() == 512);
  CHECK(name_field(header) == "a/.wh.b");
  CHECK(header.substr(100, 24) == std::string("0000000\0000000000\0000000000\0", 24));
  CHECK(name_field(tar_header(entry("b", FileType::whiteout))) == ".wh.b");
  CHECK(name_field(tar_header(entry("a", FileType::opaque))) == "a/.wh..wh..opq");
  CHECK(name_field(tar_header(entry("", FileType::opaque))) == ".wh..wh..opq");
}

TEST_CASE("what breaks the rules of an entry is a bug, not a header") {
  const auto refused = [](const Entry& e) {
    try {
      tar_header(e);
    } catch (const oci::Error& error) {
      return error.code() == oci::Errc::internal;
    }
    return false;
  };
  for (const char* path : {"/a", "a/", "a//b", "./a", "a/../b", "..", ".", "a/."}) {
    CHECK(refused(entry(path, FileType::regular)));
  }
  CHECK(refused(entry(std::string("a\0b", 3), FileType::regular)));
  CHECK(refused(entry("", FileType::regular)));
  CHECK(refused(entry(".wh.a", FileType::regular)));
  CHECK(refused(entry("b/.wh.a", FileType::directory)));
  CHECK(refused(entry("a", FileType::symlink)));
  CHECK(refused(entry("a", FileType::regular, "b")));
  CHECK(refused(entry("a", FileType::hardlink, "b")));  // not earlier
  CHECK(refused(entry("b", FileType::hardlink, "../a")));
  Entry e = entry("a", FileType::directory);
  e.size = 1;
  CHECK(refused(e));
  e = entry("a", FileType::regular);
  e.attributes.mode = 0100644;
  CHECK(refused(e));
}

TEST_CASE("what tar cannot hold is refused by name") {
  Entry e = entry("a", FileType::regular);
  e.attributes.xattrs = {{"user.a=b", "v"}};
  CHECK_THROWS_AS(tar_header(e), oci::Error);
  e = entry("a", FileType::char_device);
  e.device_minor = 2097152;
  CHECK_THROWS_AS(tar_header(e), oci::Error);
}

TEST_CASE("UTF-8 is told from other bytes") {
  for (const char* good : {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    CHECK(oci::is_utf8(good));
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82"}) {
    CHECK_FALSE(oci::is_utf8(bad));
  }
}

TEST_CASE("a tar of files has names like whiteouts, and fractions of seconds") {
  Entry e = entry("a/.wh.b", FileType::regular);
  CHECK_THROWS_AS(tar_header(e), oci::Error);
  CHECK(name_field(tar_header(e, oci::TarOf::files)) == "a/.wh.b");
  e.mtime_fraction = 1;
  const std::string header = tar_header(e, oci::TarOf::files);
  CHECK(pax_of(header) == "29 mtime=315532800.000000001\n");
  CHECK(header.substr(1024 + 136, 12) == std::string("02263523000\0", 12));
  e.attributes.mtime = -2;
  e.mtime_fraction = 750'000'000;
  CHECK(pax_of(tar_header(e, oci::TarOf::files)) == "22 mtime=-1.250000000\n");
  e.attributes.mtime = -1;
  CHECK(pax_of(tar_header(e, oci::TarOf::files)) == "22 mtime=-0.250000000\n");
  e.mtime_fraction = 1'000'000'000;
  CHECK_THROWS_AS(tar_header(e, oci::TarOf::files), oci::Error);
}

TEST_CASE("a layer's times have no fractions") {
  Entry e = entry("a", FileType::regular);
  e.mtime_fraction = 1;
  CHECK_THROWS_AS(tar_header(e), oci::Error);
}

TEST_CASE("a reader finds the fractions that were written, and the end of the tar") {
  std::string tar;
  const std::vector<std::pair<std::int64_t, std::uint32_t>> times = {
      {315532800, 0}, {315532800, 1}, {0, 999'999'999}, {-1, 250'000'000}, {-7, 5}};
  for (const auto& [seconds, fraction] : times) {
    Entry e = entry("a", FileType::regular);
    e.attributes.mtime = seconds;
    e.mtime_fraction = fraction;
    tar += tar_header(e, oci::TarOf::files);
  }
  for (const std::size_t blocks : {0, 1, 2}) {
    oci::StringSource source(tar + std::string(blocks * 512, '\0'));
    oci::TarReader reader(source, "the tar", {});
    for (const auto& [seconds, fraction] : times) {
      const auto found = reader.next();
      REQUIRE(found);
      CHECK(found->attributes.mtime == seconds);
      CHECK(found->mtime_fraction == fraction);
    }
    CHECK_FALSE(reader.next());
    CHECK(reader.saw_end_mark() == (blocks > 0));
  }
}
