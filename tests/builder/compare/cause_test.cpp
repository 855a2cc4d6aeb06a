// cause: what did it is named, for each thing that can.
#include "builder/compare/cause.h"

#include "tests/support/catch.h"

using lithify::Cause;
using lithify::cause_of;
using lithify::CauseKind;
using lithify::PackageOwners;
using lithify::Surroundings;
using oci::ImageDifference;
using Kind = ImageDifference::Kind;

namespace {

constexpr const char* k_amd64 = "linux/amd64";

ImageDifference at(Kind kind, const std::string& path, const std::string& a,
                   const std::string& b) {
  ImageDifference difference;
  difference.kind = kind;
  difference.platform = k_amd64;
  difference.layer = 2;
  difference.other_layer = 2;
  difference.path = path;
  difference.first = a;
  difference.second = b;
  return difference;
}

ImageDifference header(const std::string& field, const std::string& a,
                       const std::string& b) {
  ImageDifference difference = at(Kind::header, "srv/a", a, b);
  difference.field = field;
  return difference;
}

ImageDifference member_of(const std::string& document, const std::string& field) {
  ImageDifference difference;
  difference.platform = k_amd64;
  difference.document = document;
  difference.field = field;
  difference.first = "a";
  difference.second = "b";
  return difference;
}

PackageOwners with_tzdata(const std::string& version) {
  PackageOwners owners;
  owners.add("var/lib/dpkg/status",
             "Package: base-files\nVersion: 12\n\nPackage: tzdata\n"
             "Status: install ok installed\nVersion: " +
                 version + "\n");
  owners.add("var/lib/dpkg/info/tzdata.list", "/.\n/usr\n/usr/share/zoneinfo/UTC\n");
  owners.add("var/lib/dpkg/info/libc6:amd64.list", "/lib/libc.so.6\n");
  return owners;
}

Surroundings with_packages(const std::string& first, const std::string& second) {
  Surroundings known;
  known.first[k_amd64] = with_tzdata(first);
  known.second[k_amd64] = with_tzdata(second);
  return known;
}

}  // namespace

TEST_CASE("a file of a package that changed is named after the package") {
  const Surroundings known = with_packages("2026a", "2026b");
  const Cause cause =
      cause_of(at(Kind::content, "usr/share/zoneinfo/UTC", "1", "2"), known);
  CHECK(cause.kind == CauseKind::package);
  CHECK(cause.name == "tzdata");
  CHECK(cause.sentence ==
        "the package tzdata is 2026a in the first, 2026b in the second");
  CHECK(cause_of(at(Kind::content, "var/lib/dpkg/status", "1", "2"), known).name ==
        "tzdata");
  CHECK(changed_packages(known, k_amd64) ==
        std::vector<lithify::ChangedPackage>{{"tzdata", "2026a", "2026b"}});
  CHECK(cause_of(at(Kind::content, "etc/other", "1", "2"), known)
            .sentence.find("may follow from tzdata") != std::string::npos);
}

TEST_CASE("a file of a package that did not change was changed by somebody else") {
  const Surroundings known = with_packages("2026a", "2026a");
  const Cause cause =
      cause_of(at(Kind::content, "usr/share/zoneinfo/UTC", "1", "2"), known);
  CHECK(cause.kind == CauseKind::package);
  CHECK(cause.sentence.find("which is 2026a in both") != std::string::npos);
  CHECK(changed_packages(known, k_amd64).empty());
}

TEST_CASE("owners are found under both names of a merged directory") {
  const PackageOwners owners = with_tzdata("1");
  CHECK(owners.owner_of("usr/lib/libc.so.6") == "libc6");
  CHECK(owners.owner_of("lib/libc.so.6") == "libc6");
  CHECK(owners.owner_of("usr/lib/other").empty());
  CHECK(owners.version_of("base-files") == "12");
}

TEST_CASE("images without dpkg have owners, too") {
  PackageOwners owners;
  owners.add("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2026a\n");
  owners.add("var/lib/dpkg/status.d/tzdata.md5sums",
             std::string(32, '0') + "  usr/share/zoneinfo/UTC\nshort\n");
  CHECK(owners.owner_of("usr/share/zoneinfo/UTC") == "tzdata");
  CHECK(owners.version_of("tzdata") == "2026a");
}

TEST_CASE("a clock in a file is named with its two times") {
  ImageDifference difference = at(Kind::content, "srv/info", "4Z\n", "5Z\n");
  difference.before = "built 2026-11-26T20:01:1";
  const Cause cause = cause_of(difference, {});
  CHECK(cause.kind == CauseKind::clock);
  CHECK(cause.sentence == "a clock in a file");
  CHECK(cause.evidence == "2026-11-26T20:01:14, 2026-11-26T20:01:15");
  CHECK_FALSE(cause.hint.empty());
}

TEST_CASE("mode and time of a file are causes of their own") {
  CHECK(cause_of(header("mode", "0644", "0755"), {}).kind == CauseKind::mode);
  CHECK(cause_of(header("mtime", "1", "2"), {}).kind == CauseKind::times);
  CHECK(cause_of(header("uid", "1", "2"), {}).kind == CauseKind::unknown);
}

TEST_CASE("another encoder is named with what the lock says") {
  ImageDifference difference;
  difference.kind = Kind::encoding;
  Surroundings known;
  known.locked_encoder = "zstd-1.5.7";
  known.own_encoder = "zstd-1.5.4";
  const Cause cause = cause_of(difference, known);
  CHECK(cause.kind == CauseKind::encoder);
  CHECK(cause.sentence.find("the lock says zstd-1.5.7, here it is zstd-1.5.4") !=
        std::string::npos);
  CHECK(cause_of(member_of("manifest", "layers[0].mediaType"), {}).kind ==
        CauseKind::encoder);
}

TEST_CASE("what differs in the layers of a base is the base's doing") {
  Surroundings known;
  known.base_layers[k_amd64] = 2;
  known.base_names[k_amd64] = "docker.io/library/debian:12";
  const Cause cause = cause_of(at(Kind::content, "etc/passwd", "1", "2"), known);
  CHECK(cause.kind == CauseKind::base);
  CHECK(cause.sentence.find("debian:12") != std::string::npos);
  ImageDifference above = at(Kind::content, "etc/passwd", "1", "2");
  above.other_layer = 3;
  CHECK(cause_of(above, known).kind != CauseKind::base);
  CHECK(cause_of(member_of("configuration", "history[1].created_by"), known).kind ==
        CauseKind::base);
  CHECK(cause_of(member_of("configuration", "history[2].created_by"), known).kind !=
        CauseKind::base);
}

TEST_CASE("a source that is not what it was is the cause of what has no better one") {
  Surroundings known;
  known.changed_sources = {"site"};
  const Cause cause = cause_of(at(Kind::content, "srv/a", "red", "blue"), known);
  CHECK(cause.kind == CauseKind::source);
  CHECK(cause.name == "site");
}

TEST_CASE("members of documents have causes") {
  CHECK(cause_of(member_of("configuration", "created"), {}).kind == CauseKind::epoch);
  CHECK(cause_of(member_of("configuration", "history[0].created"), {}).kind ==
        CauseKind::epoch);
  CHECK(cause_of(member_of("configuration", "config.Env[0]"), {}).kind ==
        CauseKind::settings);
  CHECK(cause_of(member_of("index", "annotations.a"), {}).kind == CauseKind::settings);
  ImageDifference spelling = member_of("manifest", "spelling");
  spelling.kind = Kind::framing;
  CHECK(cause_of(spelling, {}).kind == CauseKind::writer);
}
