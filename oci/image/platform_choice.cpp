#include "oci/image/platform_choice.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"

namespace oci {

namespace {

constexpr int k_max_depth = 3;
constexpr std::size_t k_max_entries = 1000;

using Level = std::pair<int, int>;  // of "v9.2": 9 and 2

// How high a variant stands in its family; nullopt where variants have no order.
std::optional<Level> level_of(const Platform& platform) {
  const bool arm64 = platform.architecture == "arm64";
  const bool arm = platform.architecture == "arm";
  if (!arm64 && !arm && platform.architecture != "amd64") return std::nullopt;
  const std::string& variant = platform.variant;
  if (variant.empty()) return Level{arm64 ? 8 : arm ? 7 : 1, 0};
  if (variant[0] != 'v') return std::nullopt;
  Level level{0, 0};
  const char* const end = variant.data() + variant.size();
  auto read = std::from_chars(variant.data() + 1, end, level.first);
  if (read.ec == std::errc() && read.ptr != end && *read.ptr == '.' && arm64)
    read = std::from_chars(read.ptr + 1, end, level.second);
  const bool whole = read.ec == std::errc() && read.ptr == end;
  return whole && level.first >= 0 && level.second >= 0 ? std::optional(level)
                                                        : std::nullopt;
}

// Armv9.x has what Armv8.(x+5) has.
bool reaches(const Level& wanted, const Level& offered, bool arm64) {
  if (!arm64) return offered <= wanted;
  if (offered.first == wanted.first) return offered.second <= wanted.second;
  return wanted.first == 9 && offered.first == 8 && offered.second <= wanted.second + 5;
}

// As Platform::parse spells it; nullopt for what is no platform of an image.
std::optional<Platform> platform_of(const Descriptor& entry) {
  if (!entry.platform) return std::nullopt;
  const auto platform = Platform::parse(entry.platform->str());
  const bool known =
      platform && platform->os != "unknown" && platform->architecture != "unknown";
  return known ? platform : std::nullopt;
}

bool may_hold(const Descriptor& index, const Platform& wanted) {
  const auto platform = platform_of(index);
  return !platform ||
         (platform->os == wanted.os && platform->architecture == wanted.architecture);
}

bool is_image(const Descriptor& entry) {
  return is_document(entry.media_type) && !is_about_another(entry) &&
         (!entry.platform || platform_of(entry));
}

class Gathering {
 public:
  Gathering(const Platform& wanted,
            const std::function<std::string(const Descriptor&)>& read)
      : wanted_(wanted), read_(read) {}

  void gather(const Index& index, int depth) {
    if (depth > k_max_depth) {
      throw Error(Errc::bad_input,
                  fmt::format("indexes nest deeper than {}", k_max_depth));
    }
    for (const Descriptor& entry : index.manifests) {
      if (++entries_ > k_max_entries) {
        throw Error(Errc::bad_input,
                    fmt::format("an index has more than {} entries", k_max_entries));
      }
      if (!is_image(entry)) continue;
      if (!is_index(entry.media_type)) {
        found_.push_back(entry);
      } else if (may_hold(entry, wanted_)) {
        gather(Index::parse(read_(entry), "index " + entry.digest.brief()), depth + 1);
      }
    }
  }
  std::vector<Descriptor> take() && { return std::move(found_); }

 private:
  const Platform& wanted_;
  const std::function<std::string(const Descriptor&)>& read_;
  std::size_t entries_ = 0;
  std::vector<Descriptor> found_;
};

}  // namespace

bool serves(const Platform& offered, const Platform& wanted) {
  if (offered.os != wanted.os || offered.architecture != wanted.architecture)
    return false;
  if (offered.variant == wanted.variant) return true;
  const auto has = level_of(offered), needs = level_of(wanted);
  return has && needs && reaches(*needs, *has, wanted.architecture == "arm64");
}

PlatformChoice choose_platform(std::span<const Descriptor> images,
                               const Platform& wanted) {
  PlatformChoice choice;
  std::set<std::string> offered;
  Level best;
  for (const Descriptor& image : images) {
    const auto platform = platform_of(image);
    if (!platform) continue;
    offered.insert(platform->str());
    if (!serves(*platform, wanted)) continue;
    const Level level = level_of(*platform).value_or(Level());
    if (choice.manifest && level <= best) continue;
    choice.manifest = image;
    best = level;
  }
  choice.offered.assign(offered.begin(), offered.end());
  if (images.size() == 1 && !images.front().platform) {
    choice.manifest = images.front();
    choice.unnamed = true;
  }
  return choice;
}

std::vector<Descriptor> images_of(
    const Index& index, const Platform& wanted,
    const std::function<std::string(const Descriptor&)>& read) {
  Gathering gathering(wanted, read);
  gathering.gather(index, 1);
  return std::move(gathering).take();
}

}  // namespace oci
