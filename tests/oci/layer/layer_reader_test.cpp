// layer_reader: what honest tools write comes out as it is; the rest is refused.
#include "oci/layer/layer_reader.h"

#include <clocale>
#include <random>

#include "oci/layer/compress.h"
#include "oci/layer/tar.h"

#include "tests/oci/layer/hostile_tar.h"
#include "tests/oci/layer/layer_doubles.h"
#include "tests/support/catch.h"

using namespace layer_test;
using oci::Compression;
using oci::Entry;
using oci::Errc;
using oci::FileType;

namespace {

bool says(const std::string& message, const std::string& part) {
  INFO("said: " << message << "; expected: " << part);
  const bool found = message.find(part) != message.npos;
  CHECK(found);
  return found;
}

std::string compressed(Compression how, const std::string& text) {
  std::vector<std::byte> out(oci::compress_bound(how, text.size()));
  const std::size_t size = oci::compress_frame(how, oci::as_bytes(text), out);
  return std::string(reinterpret_cast<const char*>(out.data()), size);
}

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return engine_() % n; }
  std::string bytes(std::size_t size, bool any) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i)
      text += static_cast<char>(any ? engine_() : 'a' + engine_() % 26);
    return text;
  }
  std::string component() {
    std::string name =
        bytes(1 + (below(10) == 0 ? below(200) : below(12)), below(4) == 0);
    for (char& c : name)
      if (c == '/' || c == '\0' || c == '.') c = '_';
    return name;
  }

 private:
  std::mt19937 engine_;
};

Entry random_entry(Dice& dice, const std::string& path) {
  Entry e = entry(path, FileType::regular);
  e.attributes.mode = static_cast<std::uint32_t>(dice.below(010000));
  e.attributes.uid = static_cast<std::uint32_t>(dice.below(2) ? dice.below(100) : -1);
  e.attributes.gid = static_cast<std::uint32_t>(dice.below(3'000'000));
  e.attributes.mtime = static_cast<std::int64_t>(dice.below(1ULL << 35)) - (1LL << 33);
  for (std::size_t i = dice.below(4); i > 2; --i) {
    e.attributes.xattrs["user." + dice.bytes(5, false)] =
        dice.bytes(dice.below(50), true);
  }
  return e;
}

void make_random_kind(Dice& dice, const std::string& earlier, File& f) {
  Entry& e = f.entry;
  switch (dice.below(8)) {
    case 0:
      e.type = FileType::directory;
      return;
    case 1:
      e.type = FileType::symlink;
      e.link = "../" + dice.bytes(dice.below(300), false);
      return;
    case 2:
      if (earlier.empty()) return;
      e.type = FileType::hardlink;
      e.link = earlier;
      e.attributes.xattrs.clear();
      return;
    case 3:
      e.type = FileType::block_device;
      e.device_major = static_cast<std::uint32_t>(dice.below(4096));
      e.device_minor = static_cast<std::uint32_t>(dice.below(1U << 20));
      return;
    case 4:
      e.type = FileType::whiteout;
      e.attributes = {};
      return;
    default:
      f.content = dice.bytes(dice.below(3000), true);
      e.size = f.content.size();
  }
}

// Random but allowed: directories first met are added, paths ascend.
std::vector<File> random_layer(unsigned seed) {
  Dice dice(seed);
  std::map<std::string, File> files;
  for (std::size_t i = dice.below(60); i > 0; --i) {
    std::string path;
    for (std::size_t depth = dice.below(4); depth > 0; --depth) {
      path += (path.empty() ? "" : "/") + dice.component();
      const auto known = files.find(path);
      if (known != files.end() && known->second.entry.type != FileType::directory) break;
      File directory{random_entry(dice, path)};
      directory.entry.type = FileType::directory;
      files.emplace(path, directory);
    }
    const auto known = files.find(path);
    if (known != files.end() && known->second.entry.type != FileType::directory) continue;
    path += (path.empty() ? "" : "/") + dice.component();
    if (files.count(path) != 0) continue;
    files[path] = {random_entry(dice, path)};
  }
  std::string regular;
  std::vector<File> sorted;
  for (auto& [path, f] : files) {
    if (f.entry.type == FileType::regular) make_random_kind(dice, regular, f);
    if (f.entry.type == FileType::regular) regular = path;
    sorted.push_back(f);
  }
  std::sort(sorted.begin(), sorted.end(), [](const File& a, const File& b) {
    return oci::member_path(a.entry) < oci::member_path(b.entry);
  });
  return sorted;
}

void check_round_trip(const std::vector<File>& files, Compression compression) {
  const Members members = layer_members(write(files, compression).blob);
  REQUIRE(members.size() == files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    INFO("entry " << files[i].entry.path);
    CHECK((members[i].first == files[i].entry));
    CHECK((members[i].second == files[i].content));
  }
}

}  // namespace

TEST_CASE("what the writer wrote comes back") {
  const auto compression =
      GENERATE(Compression::none, Compression::gzip, Compression::zstd);
  for (unsigned seed = 0; seed < 60; ++seed)
    check_round_trip(random_layer(seed), compression);
}

TEST_CASE("names come back whatever the locale and whatever their bytes") {
  const std::vector<File> files{
      {entry("", FileType::directory)},
      {entry("caf\xe9", FileType::symlink, "\xff\xfe" + std::string(200, 'x'))},
      {entry("caf\xe9" + std::string(150, 'n'), FileType::directory)},
      file("gr\xc3\xbc\xc3\x9f"
           "e",
           "1"),
      file("gr\xc3\xbc\xc3\x9f"
           "e" +
               std::string(150, 'n'),
           "2")};
  for (const char* locale : {"C", "C.UTF-8", "C"}) {
    std::setlocale(LC_ALL, locale);
    check_round_trip(files, Compression::zstd);
  }
}

TEST_CASE("an opaque directory and whiteouts come back as types") {
  const Members members =
      layer_members(raw({.name = "a/", .type = '5'}) + raw({.name = "a/.wh..wh..opq"}) +
                    raw({.name = ".wh..wh..opq"}) + raw({.name = "a/.wh.b"}) +
                    raw({.name = "a/b"}) + end());
  REQUIRE(members.size() == 5);
  CHECK(members[1].first.type == FileType::opaque);
  CHECK(members[1].first.path == "a");
  CHECK(members[2].first.type == FileType::opaque);
  CHECK(members[2].first.path == "");
  CHECK(members[3].first.type == FileType::whiteout);
  CHECK(members[3].first.path == "a/b");
  CHECK(members[4].first.type == FileType::regular);
}

TEST_CASE("names are cleaned") {
  const Members members =
      layer_members(raw({.name = "./", .type = '5'}) + raw({.name = "./a//b/./c"}) +
                    raw({.name = "h", .type = '1', .link = "./a/b/c"}) +
                    raw({.name = "p", .prefix = "x/y"}) + end());
  REQUIRE(members.size() == 4);
  CHECK(members[0].first.path == "");
  CHECK(members[1].first.path == "a/b/c");
  CHECK(members[2].first.link == "a/b/c");
  CHECK(members[3].first.path == "x/y/p");
}

TEST_CASE("old and foreign dialects of tar are understood") {
  const std::string long_name(300, 'n');
  const std::string gnu = std::string("ustar  \0", 8);
  const Members members = layer_members(
      raw({.name = "v7/", .type = '\0', .magic = std::string(8, '\0')}) +
      raw({.name = "././@LongLink",
           .type = 'L',
           .content = long_name + '\0',
           .magic = gnu}) +
      raw({.name = "short", .content = "x", .magic = gnu}) +
      raw({.name = "././@LongLink",
           .type = 'K',
           .content = long_name + '\0',
           .magic = gnu}) +
      raw({.name = "s", .type = '2', .link = "short", .magic = gnu}) +
      pax(record("comment", "0123abc"), 'g') +
      pax(record("mtime", "-1.5") + record("uid", "4000000000") + record("atime", "1.2") +
          record("SCHILY.xattr.user.x", std::string("\0\n", 2))) +
      raw({.name = "p",
           .mtime = std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe")}) +
      raw({.name = "q",
           .mtime = std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe")}) +
      end());
  REQUIRE(members.size() == 5);
  CHECK(members[0].first.type == FileType::directory);
  CHECK(members[0].first.path == "v7");
  CHECK(members[1].first.path == long_name);
  CHECK(members[1].second == "x");
  CHECK(members[2].first.link == long_name);
  CHECK(members[3].first.attributes.mtime == -2);
  CHECK(members[3].first.attributes.uid == 4000000000);
  CHECK(members[3].first.attributes.xattrs.at("user.x") == std::string("\0\n", 2));
  CHECK(members[4].first.attributes.mtime == -2);
}

TEST_CASE("sizes of more than eight gigabytes are read from either field") {
  const auto first_size = [](const std::string& tar) {
    return oci::read_layer(std::make_unique<oci::StringSource>(tar), "l")->next()->size;
  };
  CHECK(first_size(pax(record("size", "8589934592")) + raw({.name = "a"})) == 8589934592);
  const std::string base256("\x80\0\0\0\0\0\0\x02\0\0\0\0", 12);
  CHECK(first_size(raw({.name = "a", .size = base256})) == 8589934592);
}

TEST_CASE("content that nobody reads is skipped") {
  const std::string blob =
      write({file("a", std::string(70'000, 'a')), file("b", "bb")}, Compression::gzip)
          .blob;
  auto reader = oci::read_layer(std::make_unique<oci::StringSource>(blob), "l");
  CHECK(reader->next()->path == "a");
  CHECK(reader->next()->path == "b");
  CHECK(oci::read_all(reader->content(), 10, "b") == "bb");
  CHECK_FALSE(reader->next());
  CHECK_FALSE(reader->next());
}

TEST_CASE("a directory may be there twice, anything else may not") {
  const std::string dir = raw({.name = "a/", .type = '5'});
  CHECK(layer_members(dir + dir + end()).size() == 2);
  const std::string file_a = raw({.name = "a"});
  says(layer_refusal(file_a + file_a + end()), "`a` is there twice");
  says(layer_refusal(file_a + raw({.name = "./a", .type = '2', .link = "b"}) + end()),
       "is there twice");
  says(layer_refusal(dir + file_a + end()), "is no directory, but an earlier");
  says(layer_refusal(file_a + dir + end()), "`a` is there twice");
  const std::string gone = raw({.name = ".wh.a"});
  says(layer_refusal(gone + gone + end()), "is there twice");
}

TEST_CASE("names that leave the layer are refused") {
  for (const char* name : {"../a", "a/../../b", "a/..", "..", "./../a"}) {
    says(layer_refusal(raw({.name = name}) + end()), "leaves the archive with `..`");
    says(archive_refusal(raw({.name = name}) + end()), "leaves the archive with `..`");
  }
  for (const char* name : {"/a", "/", "//a"}) {
    says(layer_refusal(raw({.name = name, .type = '5'}) + end()), "absolute");
  }
  says(layer_refusal(pax(record("path", "../x")) + raw({.name = "a"}) + end()), "`..`");
  says(layer_refusal(raw({.name = "a", .prefix = ".."}) + end()), "`..`");
  says(layer_refusal(raw({.name = "L", .type = 'L', .content = "/etc/passwd"}) +
                     raw({.name = "a"}) + end()),
       "absolute");
  says(layer_refusal(raw({.name = ""}) + end()), "empty name");
  says(layer_refusal(pax(record("path", std::string("a\0b", 3))) + raw({.name = "a"}) +
                     end()),
       "no name");
}

TEST_CASE("the root is a directory") {
  says(layer_refusal(raw({.name = "./", .type = '2', .link = "/"}) + end()), "slash");
  says(layer_refusal(raw({.name = ".", .type = '2', .link = "/etc"}) + end()),
       "is no directory");
  says(layer_refusal(raw({.name = "a/", .type = '0'}) + end()), "slash");
}

TEST_CASE("a member below something that is no directory is refused") {
  const std::string link = raw({.name = "a", .type = '2', .link = "/etc"});
  says(layer_refusal(link + raw({.name = "a/passwd"}) + end()), "lies below `a`");
  says(layer_refusal(link + raw({.name = "a/b/c/d"}) + end()), "lies below `a`");
  says(layer_refusal(link + raw({.name = "a/.wh.passwd"}) + end()), "lies below `a`");
  says(layer_refusal(link + raw({.name = "a/.wh..wh..opq"}) + end()), "lies below `a`");
  says(layer_refusal(raw({.name = "a"}) + raw({.name = "a/b"}) + end()),
       "lies below `a`");
  says(layer_refusal(raw({.name = "a/b/c"}) + link + end()),
       "an earlier member needs one");
  says(archive_refusal(link + raw({.name = "a/passwd"}) + end()), "lies below `a`");
}

TEST_CASE("hard links lead to earlier regular files of the same layer") {
  const std::string dir = raw({.name = "d/", .type = '5'});
  const auto hard = [](const char* to) {
    return raw({.name = "h", .type = '1', .link = to}) + end();
  };
  says(layer_refusal(hard("later")), "which is not before it");
  says(layer_refusal(hard("h")), "which is not before it");
  says(layer_refusal(hard("../../etc/shadow")), "`..`");
  says(layer_refusal(hard("/etc/shadow")), "absolute");
  says(layer_refusal(dir + hard("d")), "no regular file");
  says(layer_refusal(raw({.name = "s", .type = '2', .link = "/etc/shadow"}) + hard("s")),
       "no regular file");
  says(layer_refusal(raw({.name = ".wh.s"}) + hard(".wh.s")), "no regular file");
  says(layer_refusal(raw({.name = "a"}) +
                     raw({.name = "h", .type = '1', .content = "evil", .link = "a"}) +
                     end()),
       "has content");
  CHECK(layer_refusal(raw({.name = "a"}) + raw({.name = "b", .type = '1', .link = "a"}) +
                      raw({.name = "c", .type = '1', .link = "b"}) + end()) == "");
}

TEST_CASE("whiteout tricks are refused") {
  for (const char* name :
       {".wh.", "a/.wh.", ".wh..", ".wh...", "a/.wh...", ".wh..wh.aufs", ".wh..wh.",
        ".wh..wh..opq.x", ".wh..wh.plnk"}) {
    says(layer_refusal(raw({.name = name}) + end()), "whiteout of no name");
  }
  says(layer_refusal(raw({.name = ".wh.a", .content = "x"}) + end()), "no empty file");
  says(layer_refusal(raw({.name = ".wh.a", .type = '2', .link = "b"}) + end()),
       "no empty file");
  says(layer_refusal(raw({.name = ".wh.a/", .type = '5'}) + end()), "no empty file");
  says(layer_refusal(raw({.name = ".wh.a/b"}) + end()), "below a whiteout");
  says(layer_refusal(raw({.name = "b/.wh..wh..opq/c"}) + end()), "below a whiteout");
  says(layer_refusal(raw({.name = "dev", .type = '3'}) + end()), "whiteout in disguise");
  const Members members =
      layer_members(pax(record("SCHILY.xattr.trusted.overlay.redirect", "/etc") +
                        record("SCHILY.xattr.user.overlay.opaque", "y") +
                        record("SCHILY.xattr.user.fine", "1")) +
                    raw({.name = "d/", .type = '5'}) + end());
  CHECK(members.at(0).first.attributes.xattrs ==
        std::map<std::string, std::string>{{"user.fine", "1"}});
}

TEST_CASE("what is no archive at all is told as such") {
  for (const std::string& bytes : {std::string("hello"), std::string(600, 'x')}) {
    CHECK_THROWS_WITH(
        oci::read_archive(std::make_unique<oci::StringSource>(bytes), "notes.txt"),
        "notes.txt is no archive that lithify reads (tar, zip, ar)");
  }
}

TEST_CASE("headers that are not well-formed are refused") {
  std::string broken = raw({.name = "a"});
  broken[0] = 'b';
  says(layer_refusal(broken + end()), "checksum");
  says(layer_refusal("this is no tar at all"), "middle of a block");
  says(layer_refusal(std::string(512, 'x')), "checksum");
  says(layer_refusal(raw({.name = "a", .size = "0000000008x"}) + end()),
       "not well-formed");
  says(layer_refusal(raw({.name = "a", .size = "-0000000001"}) + end()),
       "not well-formed");
  says(layer_refusal(raw({.name = "a", .size = std::string(12, '\xff')}) + end()),
       "below zero");
  const std::string huge = "\x80" + std::string(11, '\x7f');
  says(layer_refusal(raw({.name = "a", .size = huge}) + end()), "not well-formed");
  for (const char type : {'S', 'D', 'M', 'N', 'V', 'A', 'X', '8', '\x80'}) {
    CHECK(layer_refusal(raw({.name = "a", .type = type}) + end()) != "");
  }
  says(layer_refusal(raw({.name = "a", .content = std::string(600, 'x')}).substr(0, 700)),
       "before its last member does");
  says(layer_refusal(raw({.name = "d", .type = '5', .content = "x"}) + end()),
       "has content");
}

TEST_CASE("pax headers that readers could understand in two ways are refused") {
  const std::string a = raw({.name = "a", .content = "12345"}) + end();
  says(layer_refusal(pax(record("size", "512")) + a), "two sizes");
  says(layer_refusal(pax(record("size", "0")) + a), "two sizes");
  CHECK(layer_refusal(pax(record("size", "5")) + a) == "");
  says(layer_refusal(pax(record("size", "-1")) + a), "no size");
  says(layer_refusal(pax(record("size", "99999999999999999999")) + a), "no size");
  says(layer_refusal(pax(record("path", "b") + record("path", "c")) + a),
       "two pax records");
  says(layer_refusal(pax(record("uid", "x")) + a), "no number");
  says(layer_refusal(pax(record("mtime", "now")) + a), "no time");
  says(layer_refusal(pax(record("hdrcharset", "EBCDIC")) + a), "character set");
  says(layer_refusal(pax(record("path", "")) + a), "no name");
  says(layer_refusal(pax("5 a=b") + a), "not well-formed");
  says(layer_refusal(pax("99 a=b\n") + a), "not well-formed");
  says(layer_refusal(pax("0 a=b\n") + a), "not well-formed");
  says(layer_refusal(pax("nonsense") + a), "not well-formed");
  says(layer_refusal(pax("6 abc\n") + a), "without a keyword");
  says(layer_refusal(pax(record("SCHILY.xattr.", "x")) + a), "without a proper name");
  says(layer_refusal(pax(record("comment", "")) + pax(record("comment", "")) + a),
       "two extended headers");
  says(layer_refusal(pax(record("path", "x")) +
                     raw({.name = "L", .type = 'L', .content = "y"}) + a),
       "two extended headers");
  says(layer_refusal(raw({.name = "L", .type = 'L', .content = "y"}) +
                     pax(record("path", "x")) + a),
       "two extended headers");
  says(layer_refusal(pax(record("path", "x"), 'g') + a), "global pax header that sets");
  says(layer_refusal(pax(record("size", "0"), 'g') + a), "global pax header that sets");
  says(layer_refusal(pax(record("path", "x")) + end()), "without a member");
}

TEST_CASE("sparse members are refused") {
  const std::string a = raw({.name = "a"}) + end();
  says(layer_refusal(pax(record("GNU.sparse.map", "0,1099511627776")) + a), "sparse");
  says(layer_refusal(pax(record("GNU.sparse.realsize", "1")) + a), "sparse");
  says(layer_refusal(raw({.name = "a", .type = 'S'}) + end()), "sparse");
}

TEST_CASE("nothing hides behind a zero block") {
  const std::string zero(512, '\0');
  says(layer_refusal(raw({.name = "a"}) + zero + raw({.name = "b"}) + end()),
       "lone zero");
  CHECK(layer_members(raw({.name = "a"}) + zero).size() == 1);
  CHECK(layer_members(raw({.name = "a"})).size() == 1);
  CHECK(layer_members("").empty());
}

TEST_CASE("limits hold") {
  const std::string two =
      raw({.name = "a", .content = "123"}) + raw({.name = "b", .content = "456"}) + end();
  says(layer_refusal(two, {.entries = 1}), "one more than the 1 allowed");
  says(layer_refusal(two, {.content = 5}), "beyond the 5 allowed");
  says(layer_refusal(raw({.name = std::string(60, 'x')}) + end(), {.path = 50}),
       "more than 50 bytes");
  says(layer_refusal(raw({.name = "a/b/c/d"}) + end(), {.depth = 3}), "deeper than 3");
  says(layer_refusal(two, {.names = 1}), "allowed for all names");
  says(layer_refusal(pax(record("SCHILY.xattr.user.x", std::string(100, 'x'))) + two,
                     {.xattrs = 99}),
       "extended attributes");
  says(layer_refusal(pax(record("path", std::string(5000, 'x'))) + two), "4096 bytes");
  const std::string flood = raw({.name = "x", .type = 'x', .size = "77777777777"});
  says(layer_refusal(flood + end()), "an extended header of 8589934591 bytes");
  says(layer_refusal(raw({.name = "x", .type = 'L', .size = "77777777777"}) + end()),
       "the limit is 4097");
}

TEST_CASE("a bomb is refused before it unpacks") {
  // 300 MiB of zeros in a thousandth of a thousandth.
  const std::string zeros(1U << 20, '\0');
  const std::string frame = compressed(Compression::zstd, zeros);
  std::string bomb =
      compressed(Compression::zstd, raw({.name = "a", .size = octal(400ULL << 20, 11)}));
  for (int i = 0; i < 400; ++i)
    bomb += frame;
  auto reader = oci::read_layer(std::make_unique<oci::StringSource>(bomb), "the layer",
                                {.harmless = 256ULL << 20});
  says(refusal([&] {
         reader->next();
         oci::NullSink nowhere;
         oci::copy(reader->content(), nowhere);
       }),
       "more than 1100 times its size");
}

TEST_CASE("damage in the compressed stream is refused") {
  const std::string tar = raw({.name = "a", .content = text_of(5000, 3)}) + end();
  for (const Compression how : {Compression::gzip, Compression::zstd}) {
    const std::string blob = compressed(how, tar);
    CHECK(layer_refusal(blob) == "");
    CHECK(layer_refusal(blob.substr(0, blob.size() / 2)) != "");
    std::string flipped = blob;
    flipped[blob.size() / 2] ^= 0x55;
    Members members;
    const std::string message = refusal([&] { members = layer_members(flipped); });
    CHECK((message != "" || members.at(0).second != text_of(5000, 3)));
    says(layer_refusal(compressed(how, blob)), "compressed more than once");
  }
}

TEST_CASE("every check that gzip has is made") {
  const std::string tar = raw({.name = "a", .content = text_of(5000, 3)}) + end();
  const std::string blob = compressed(Compression::gzip, tar);
  const auto spoilt = [&](std::size_t from_end) {
    std::string text = blob;
    text[text.size() - from_end] ^= 1;
    return text;
  };
  for (const auto& refusal_of : {layer_refusal, archive_refusal}) {
    says(refusal_of(spoilt(8), {}), "incorrect data check");
    says(refusal_of(spoilt(4), {}), "incorrect length check");
    says(refusal_of(blob.substr(0, blob.size() - 3), {}), "breaks off");
    says(refusal_of(blob + "garbage", {}), "something behind its gzip data");
    says(refusal_of(blob + std::string(9, '\0') + "x", {}), "something behind");
    says(refusal_of(blob + "\x1f\x8b", {}), "breaks off");
    CHECK(refusal_of(blob + std::string(200'000, '\0'), {}) == "");
    CHECK(refusal_of(compressed(Compression::gzip, "") + blob, {}) == "");
  }
  const std::string halves = compressed(Compression::gzip, tar.substr(0, 700)) +
                             compressed(Compression::gzip, tar.substr(700));
  CHECK(layer_members(halves).at(0).second == text_of(5000, 3));
}

TEST_CASE("the source is read to its end") {
  const std::string tar = raw({.name = "a"}) + end();
  for (const Compression how :
       {Compression::none, Compression::gzip, Compression::zstd}) {
    const std::string blob = compressed(how, tar);
    const std::string more = blob + std::string(100'000, '\0');
    // A digest that is right for the beginning only, as a careless check would like it.
    auto source = oci::verified(std::make_unique<oci::StringSource>(more),
                                oci::Digest::of(blob), more.size());
    auto reader = oci::read_layer(std::move(source), "the layer");
    bool told = false;
    try {
      while (reader->next()) {
      }
    } catch (const oci::Error& error) {
      told = true;
    }
    CHECK(told);
  }
}

TEST_CASE("what the source throws comes out unchanged") {
  class Failing final : public oci::Source {
    std::size_t read(std::span<std::byte>) override {
      throw oci::Error(Errc::unavailable, "the cable is out");
    }
  };
  for (const auto read : {oci::read_layer, oci::read_archive}) {
    try {
      read(std::make_unique<Failing>(), "x", {})->next();
      FAIL("nothing was thrown");
    } catch (const oci::Error& error) {
      CHECK(error.code() == Errc::unavailable);
      CHECK(std::string(error.what()) == "the cable is out");
    }
  }
}
