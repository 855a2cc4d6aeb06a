// judged: differences as people and programs see them.
#include "builder/cli/judged.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/golden.h"

using lithify::Judged;
using lithify::Surroundings;
using oci::ImageDifference;
using Kind = ImageDifference::Kind;

namespace {

ImageDifference of_file(Kind kind, const std::string& path, std::optional<std::string> a,
                        std::optional<std::string> b) {
  ImageDifference difference;
  difference.kind = kind;
  difference.platform = "linux/amd64";
  difference.layer = difference.other_layer = 2;
  difference.path = path;
  difference.first = std::move(a);
  difference.second = std::move(b);
  return difference;
}

ImageDifference header(const std::string& path, const std::string& field,
                       const std::string& a, const std::string& b) {
  ImageDifference difference = of_file(Kind::header, path, a, b);
  difference.field = field;
  return difference;
}

ImageDifference content(const std::string& path, const std::string& before,
                        const std::string& a, const std::string& b) {
  ImageDifference difference = of_file(Kind::content, path, a, b);
  difference.before = before;
  difference.offset = before.size();
  return difference;
}

// One of each kind, and more of one cause than are told.
std::vector<ImageDifference> everything() {
  ImageDifference created;
  created.platform = "linux/amd64";
  created.document = "configuration";
  created.field = "created";
  created.first = "1980-01-01T00:00:00Z";
  created.second = "2026-11-26T20:01:14Z";
  ImageDifference variable = created;
  variable.field = "config.Env[1]";
  variable.first.reset();
  variable.second = "A=\x1b[31m";
  ImageDifference platform;
  platform.kind = Kind::platform;
  platform.platform = "linux/arm64";
  platform.first = "sha256:0";
  ImageDifference layer;
  layer.kind = Kind::layer;
  layer.platform = "linux/amd64";
  layer.other_layer = 3;
  layer.second = "sha256:1";
  ImageDifference encoding =
      of_file(Kind::encoding, "", "zstd, 7 bytes", "zstd, 8 bytes");
  ImageDifference framing = of_file(Kind::framing, "a", "root", std::string(4, '\0'));
  framing.field = "uname";
  framing.offset = 265;
  std::vector<ImageDifference> all = {
      platform,
      created,
      variable,
      layer,
      encoding,
      framing,
      header("srv/a", "mode", "0644", "0755"),
      header("srv/b", "mtime", "1", "2"),
      header("srv/b", "SCHILY.xattr.user.x", "\x01\x02", "y"),
      of_file(Kind::member, "srv/\xff", "file", std::nullopt),
      content("srv/info", "built at 20:01:1", "4\n", "5\n"),
      content("srv/binary", "ab", std::string("\0\1\2", 3), ""),
  };
  for (char name = 'a'; name < 'h'; ++name)
    all.push_back(content(std::string("usr/share/zoneinfo/") + name, "", "1", "2"));
  return all;
}

lithify::PackageOwners tzdata(const std::string& version) {
  lithify::PackageOwners owners;
  owners.add("var/lib/dpkg/status.d/tzdata",
             "Package: tzdata\nVersion: " + version + "\n");
  std::string list;
  for (char name = 'a'; name < 'h'; ++name)
    list += std::string(32, '0') + "  usr/share/zoneinfo/" + name + "\n";
  owners.add("var/lib/dpkg/status.d/tzdata.md5sums", list);
  return owners;
}

Judged example() {
  Surroundings known;
  known.first["linux/amd64"] = tzdata("2026a");
  known.second["linux/amd64"] = tzdata("2026b");
  known.locked_encoder = "zstd-1.5.7";
  known.own_encoder = "zstd-1.5.4";
  Judged judged{{oci::Digest::of("a"), oci::Digest::of("b"), everything(), 12}, {}, {}};
  for (const ImageDifference& difference : judged.comparison.differences)
    judged.causes.push_back(cause_of(difference, known));
  judged.packages["linux/amd64"] = changed_packages(known, "linux/amd64");
  return judged;
}

}  // namespace

TEST_CASE("differences are told by their causes") {
  check_golden("cli/judged.txt", judged_text(example()));
}

TEST_CASE("differences are a document for programs") {
  check_golden("cli/judged.json",
               judged_json(example()).dump(2, ' ', false,
                                           nlohmann::json::error_handler_t::replace) +
                   "\n");
}

TEST_CASE("of equal images there is nothing to tell") {
  const Judged equal{{oci::Digest::of("a"), oci::Digest::of("a"), {}, 0}, {}, {}};
  CHECK(judged_text(equal).empty());
  CHECK(judged_json(equal).at("equal") == true);
}
