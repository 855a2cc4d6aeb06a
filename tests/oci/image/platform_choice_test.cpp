// platform_choice: the image that a platform gets from an index.
#include "oci/image/platform_choice.h"

#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace oci;

namespace {

Descriptor image(const std::string& platform, const std::string& name = "") {
  Descriptor entry{std::string(media_type::k_manifest), Digest::of(platform + name), 7};
  if (platform.empty()) return entry;
  const std::size_t slash = platform.find('/');
  const std::size_t second = platform.find('/', slash + 1);
  entry.platform =
      Platform{platform.substr(0, slash), platform.substr(slash + 1, second - slash - 1),
               second == std::string::npos ? "" : platform.substr(second + 1)};
  return entry;
}

std::vector<Descriptor> images(const std::vector<std::string>& platforms) {
  std::vector<Descriptor> all;
  for (const auto& platform : platforms)
    all.push_back(image(platform));
  return all;
}

// The platform, as written, of what is chosen.
std::string chosen(const std::vector<std::string>& platforms, const std::string& wanted) {
  const auto choice = choose_platform(images(platforms), *Platform::parse(wanted));
  return choice.manifest ? choice.manifest->platform->str() : "nothing";
}

std::string nothing_read(const Descriptor&) {
  FAIL("nothing is to be read");
  return "";
}

}  // namespace

TEST_CASE("the system and the architecture are exact") {
  CHECK(chosen({"windows/amd64", "linux/arm64", "linux/amd64"}, "linux/amd64") ==
        "linux/amd64");
  CHECK(chosen({"linux/386"}, "linux/amd64") == "nothing");
  CHECK(chosen({"linux/arm/v7"}, "linux/arm64") == "nothing");
  CHECK(chosen({"linux/x86_64"}, "linux/amd64") == "linux/x86_64");
}

TEST_CASE("the variant is the one wanted or the highest below it") {
  CHECK(chosen({"linux/arm/v5", "linux/arm/v7", "linux/arm/v6"}, "linux/arm/v7") ==
        "linux/arm/v7");
  CHECK(chosen({"linux/arm/v5", "linux/arm/v6"}, "linux/arm/v7") == "linux/arm/v6");
  CHECK(chosen({"linux/arm/v7"}, "linux/arm/v6") == "nothing");
  CHECK(chosen({"linux/arm"}, "linux/arm/v7") == "linux/arm");
  CHECK(chosen({"linux/arm64/v8"}, "linux/arm64") == "linux/arm64/v8");
  CHECK(chosen({"linux/arm64/v9"}, "linux/arm64") == "nothing");
  CHECK(chosen({"linux/arm64", "linux/arm64/v9"}, "linux/arm64/v9.1") ==
        "linux/arm64/v9");
  CHECK(chosen({"linux/arm64/v8.7", "linux/arm64/v8.6"}, "linux/arm64/v9.1") ==
        "linux/arm64/v8.6");
  CHECK(chosen({"linux/amd64", "linux/amd64/v2", "linux/amd64/v4"}, "linux/amd64/v3") ==
        "linux/amd64/v2");
  CHECK(chosen({"linux/amd64/v2"}, "linux/amd64") == "nothing");
  CHECK(chosen({"linux/riscv64/rva20"}, "linux/riscv64/rva22") == "nothing");
  CHECK(chosen({"linux/amd64/vx", "linux/amd64/v", "linux/amd64/v99999999999"},
               "linux/amd64/v3") == "nothing");
}

TEST_CASE("of equals the first is taken, and what there is can be told") {
  const std::vector<Descriptor> entries = {
      image("linux/amd64", "1"), image("linux/amd64", "2"), image("linux/s390x")};
  const auto choice = choose_platform(entries, {"linux", "amd64", ""});
  CHECK(choice.manifest == entries[0]);
  CHECK(choice.offered == std::vector<std::string>{"linux/amd64", "linux/s390x"});
  CHECK_FALSE(choice.unnamed);
}

TEST_CASE("a single image for no platform in particular is taken, one of several not") {
  const auto alone = choose_platform(images({""}), {"linux", "amd64", ""});
  CHECK(alone.unnamed);
  CHECK(alone.manifest == image(""));
  CHECK_FALSE(choose_platform(images({"", "linux/arm64"}), {"linux", "amd64", ""})
                  .manifest.has_value());
  CHECK_FALSE(choose_platform({}, {"linux", "amd64", ""}).manifest.has_value());
}

TEST_CASE("attestations and what is no image are no choice") {
  Index index{"", images({"linux/amd64", "unknown/unknown", "Linux/amd64"})};
  index.manifests.push_back(image("linux/amd64", "attestation"));
  index.manifests.back().annotations["vnd.docker.reference.type"] =
      "attestation-manifest";
  index.manifests.push_back(image("", "blob"));
  index.manifests.back().media_type = "application/octet-stream";
  const auto found = images_of(index, {"linux", "amd64", ""}, nothing_read);
  CHECK(found == images({"linux/amd64"}));
}

TEST_CASE("indexes in an index are looked into, not without end") {
  const Platform amd64{"linux", "amd64", ""};
  // Every index holds one more.
  const auto nested = [](int levels) {
    Index index{"", {image("linux/amd64")}};
    for (int i = 1; i < levels; ++i) {
      const std::string text = index.str();
      index = {"", {describe(text, media_type::k_index)}};
    }
    return index;
  };
  const auto read = [&](const Descriptor& which) {
    for (int levels = 1; levels < 5; ++levels) {
      const std::string text = nested(levels).str();
      if (Digest::of(text) == which.digest) return text;
    }
    return std::string();
  };
  CHECK(images_of(nested(3), amd64, read).size() == 1);
  CHECK_THROWS_AS(images_of(nested(4), amd64, read), Error);
  SECTION("an index for another platform is not read") {
    Index index = nested(2);
    index.manifests[0].platform = Platform{"linux", "arm64", ""};
    CHECK(images_of(index, amd64, nothing_read).empty());
  }
  SECTION("nor is a very long one") {
    Index index;
    for (int i = 0; i < 1001; ++i)
      index.manifests.push_back(image("linux/amd64", std::to_string(i)));
    CHECK_THROWS_AS(images_of(index, amd64, nothing_read), Error);
  }
}
