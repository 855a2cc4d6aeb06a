#include "builder/cli/judged.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

#include "builder/tell/text.h"

namespace lithify {

namespace {

using Kind = oci::ImageDifference::Kind;
using oci::ImageDifference;

constexpr std::size_t k_most_places = 5;
constexpr std::size_t k_most_packages = 20;
constexpr std::size_t k_most_bytes = 24;  // of an excerpt

bool is_of_file(const ImageDifference& difference) {
  return difference.kind == Kind::member || difference.kind == Kind::header ||
         difference.kind == Kind::content;
}

// The image for a platform that the comparison named.
std::optional<oci::Descriptor> image_for(const oci::ComparedImage& of,
                                         const std::string& platform) {
  if (!oci::is_index(of.root.media_type)) return of.root;
  const auto index = oci::Index::parse(of.images.manifest(of.root), "index");
  for (const oci::Descriptor& child : index.manifests) {
    if (platform.empty() && index.manifests.size() == 1) return child;
    if (child.platform && child.platform->str() == platform) return child;
  }
  return std::nullopt;
}

PackageOwners owners_in(const oci::ComparedImage& of, const std::string& platform,
                        const std::stop_token& stop) {
  const auto image = image_for(of, platform);
  return image ? PackageOwners::read(of.images, *image, stop) : PackageOwners();
}

// ---- text
// ------------------------------------------------------------------------------

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const CodePoint point = decode(bytes);
    const bool cut = bytes.size() < 4 && !point.valid;  // at the end of the excerpt
    const bool control = point.value < 0x20 && point.value != '\n' && point.value != '\t';
    if (cut) return true;
    if (!point.valid || control || point.value == 0x7f) return false;
    bytes.remove_prefix(point.bytes);
  }
  return true;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes)
    text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// A few bytes of a content, as text if they are some.
std::string excerpt(std::string_view bytes, bool as_text) {
  if (bytes.empty()) return "the end";
  if (!as_text) return hex(bytes.substr(0, 8));
  return fmt::format("\"{}\"", visible(bytes.substr(0, k_most_bytes)));
}

std::string sides(const ImageDifference& difference) {
  if (difference.kind == Kind::content || difference.kind == Kind::framing) {
    const std::string a = difference.first.value_or("");
    const std::string b = difference.second.value_or("");
    const bool text = is_text(a) && is_text(b);
    return excerpt(a, text) + ", " + excerpt(b, text);
  }
  const auto side = [](const std::optional<std::string>& value) {
    return value ? fmt::format("`{}`", visible(*value)) : std::string("not there");
  };
  return side(difference.first) + ", " + side(difference.second);
}

std::string what_of(const ImageDifference& difference) {
  switch (difference.kind) {
    case Kind::document:
      return difference.field.empty() ? "the kind of document"
                                      : visible(difference.field);
    case Kind::platform:
      return "the image";
    case Kind::layer:
      return "the layer";
    case Kind::encoding:
      return "the compressed bytes";
    case Kind::member:
      return "the file itself";
    case Kind::header:
      return visible(difference.field);
    case Kind::content:
      return fmt::format("content at byte {}", difference.offset);
    case Kind::framing:
      return fmt::format("{} at byte {}", visible(difference.field), difference.offset);
  }
  return "";
}

std::string place_of(const ImageDifference& difference) {
  std::string place = difference.platform;
  const auto add = [&place](const std::string& part) {
    place += (place.empty() ? "" : ", ") + part;
  };
  if (!difference.document.empty()) add(difference.document);
  const std::size_t layer =
      difference.layer > 0 ? difference.layer : difference.other_layer;
  if (layer > 0) add(fmt::format("layer {}", layer));
  if (!difference.path.empty()) add("/" + visible(difference.path));
  return place.empty() ? "image" : place;
}

std::string line_of(const ImageDifference& difference, const Cause& cause) {
  return fmt::format(
      "  {}: {}: {}\n", place_of(difference), what_of(difference),
      cause.evidence.empty() ? sides(difference) : visible(cause.evidence));
}

// Indexes of differences with the same cause, in the order of their first.
std::vector<std::vector<std::size_t>> groups_of(const std::vector<Cause>& causes) {
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < causes.size(); ++i) {
    const auto same = [&](const std::vector<std::size_t>& group) {
      const Cause& cause = causes[group.front()];
      return cause.kind == causes[i].kind && cause.name == causes[i].name;
    };
    const auto found = std::find_if(groups.begin(), groups.end(), same);
    if (found == groups.end()) {
      groups.push_back({i});
    } else {
      found->push_back(i);
    }
  }
  return groups;
}

std::string package_lines(const Judged& judged) {
  std::string text;
  for (const auto& [platform, packages] : judged.packages) {
    std::size_t told = 0;
    for (const ChangedPackage& package : packages) {
      if (++told > k_most_packages) break;
      const auto version = [](const std::string& given) {
        return given.empty() ? std::string("not there") : visible(given);
      };
      text += fmt::format("package {}{}: {}, {}\n", visible(package.name),
                          platform.empty() ? "" : " (" + platform + ")",
                          version(package.first), version(package.second));
    }
    if (packages.size() > k_most_packages)
      text += fmt::format("and {} packages more\n", packages.size() - k_most_packages);
  }
  return text;
}

// ---- JSON
// ------------------------------------------------------------------------------

nlohmann::json side_json(const ImageDifference& difference,
                         const std::optional<std::string>& side) {
  if (!side) return nullptr;
  if (difference.kind != Kind::content && difference.kind != Kind::framing) return *side;
  return {{"hex", hex(*side)}, {"text", visible(*side)}};
}

const char* word_of(Kind kind) {
  static constexpr const char* k_words[] = {"document", "platform", "layer",   "encoding",
                                            "member",   "header",   "content", "framing"};
  return k_words[static_cast<std::size_t>(kind)];
}

nlohmann::json difference_json(const ImageDifference& difference, const Cause& cause) {
  nlohmann::json document = {{"kind", word_of(difference.kind)},
                             {"first", side_json(difference, difference.first)},
                             {"second", side_json(difference, difference.second)}};
  const auto add = [&document](const char* key, const std::string& text) {
    if (!text.empty()) document[key] = text;
  };
  add("platform", difference.platform);
  add("document", difference.document);
  add("path", difference.path.empty() ? "" : "/" + difference.path);
  add("field", difference.field);
  if (difference.layer > 0) document["layer"] = difference.layer;
  if (difference.other_layer > 0) document["otherLayer"] = difference.other_layer;
  if (difference.kind == Kind::content || difference.kind == Kind::framing)
    document["offset"] = difference.offset;
  document["cause"] = {{"kind", name_of(cause.kind)}, {"text", cause.sentence}};
  if (!cause.name.empty()) document["cause"]["name"] = cause.name;
  if (!cause.hint.empty()) document["cause"]["hint"] = cause.hint;
  if (!cause.evidence.empty()) document["cause"]["evidence"] = cause.evidence;
  return document;
}

}  // namespace

Judged judge(const oci::ComparedImage& first, const oci::ComparedImage& second,
             Surroundings known, const std::stop_token& stop) {
  Judged judged{oci::compare_images(first, second, stop), {}, {}};
  std::set<std::string> platforms;
  for (const ImageDifference& difference : judged.comparison.differences) {
    if (is_of_file(difference)) platforms.insert(difference.platform);
  }
  for (const std::string& platform : platforms) {
    known.first[platform] = owners_in(first, platform, stop);
    known.second[platform] = owners_in(second, platform, stop);
    auto changed = changed_packages(known, platform);
    if (!changed.empty()) judged.packages[platform] = std::move(changed);
  }
  for (const ImageDifference& difference : judged.comparison.differences)
    judged.causes.push_back(cause_of(difference, known));
  return judged;
}

std::string judged_text(const Judged& judged) {
  std::string text = package_lines(judged);
  for (const std::vector<std::size_t>& group : groups_of(judged.causes)) {
    const Cause& cause = judged.causes[group.front()];
    text += fmt::format("{}: {}\n", name_of(cause.kind), visible(cause.sentence));
    for (std::size_t i = 0; i < std::min(group.size(), k_most_places); ++i)
      text += line_of(judged.comparison.differences[group[i]], judged.causes[group[i]]);
    if (group.size() > k_most_places)
      text += fmt::format("  and {} more\n", group.size() - k_most_places);
    if (!cause.hint.empty()) text += fmt::format("  help: {}\n", visible(cause.hint));
  }
  if (judged.comparison.left_out > 0) {
    text +=
        fmt::format("{} further differences are not told\n", judged.comparison.left_out);
  }
  return text;
}

nlohmann::json judged_json(const Judged& judged) {
  nlohmann::json document = {{"equal", judged.comparison.equal()},
                             {"first", judged.comparison.first.str()},
                             {"second", judged.comparison.second.str()},
                             {"differences", nlohmann::json::array()},
                             {"leftOut", judged.comparison.left_out},
                             {"packages", nlohmann::json::array()}};
  for (std::size_t i = 0; i < judged.causes.size(); ++i) {
    document["differences"].push_back(
        difference_json(judged.comparison.differences[i], judged.causes[i]));
  }
  for (const auto& [platform, packages] : judged.packages) {
    for (const ChangedPackage& package : packages) {
      document["packages"].push_back({{"platform", platform},
                                      {"name", package.name},
                                      {"first", package.first},
                                      {"second", package.second}});
    }
  }
  return document;
}

}  // namespace lithify
