// layout_index: OCI image-spec, image-layout.md, "index.json file".
#include "oci/image/layout_index.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/json.h"
#include "oci/image/descriptor_json.h"
#include "oci/image/manifest.h"
#include "oci/image/referring_repository.h"

namespace oci {

namespace {

constexpr std::size_t k_max_name = 512;

void check_name(std::string_view tag) {
  const bool printable =
      std::all_of(tag.begin(), tag.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (tag.empty() || tag.size() > k_max_name || !printable) {
    throw Error(Errc::bad_input,
                fmt::format("`{}` is no name for an image in a layout: 1 to {} printable "
                            "ASCII characters are allowed",
                            tag.substr(0, k_max_name), k_max_name));
  }
}

}  // namespace

void check_layout_marker(std::string_view content, const std::string& where) {
  const auto json = parse_json(content, where + "/oci-layout");
  const DocumentNode version =
      DocumentNode(json, where + "/oci-layout").require("imageLayoutVersion");
  if (version.text().rfind("1.", 0) != 0) {
    version.refuse(fmt::format("`1.0.0` was expected, not `{}`", version.text()));
  }
}

LayoutIndex LayoutIndex::parse(std::string_view text, const std::string& what) {
  Index::parse(text, what);  // everything that it refuses is refused here
  nlohmann::json json = parse_json(text, what);
  LayoutIndex index;
  const DocumentNode document(json, what);
  document.refuse_fractions();
  for (const DocumentNode& item : document.require("manifests").items()) {
    Entry entry{"", parse_descriptor(item), canonical_json(item.value())};
    const auto name = entry.manifest.annotations.find(k_ref_name);
    if (name != entry.manifest.annotations.end()) {
      entry.name = name->second;
      entry.manifest.annotations.erase(name);
    }
    index.entries_.push_back(std::move(entry));
  }
  json.erase("manifests");
  index.other_ = canonical_json(json);
  return index;
}

LayoutIndex LayoutIndex::read(const std::filesystem::path& index_json) {
  return parse(read_file(index_json, k_max_json), index_json.string());
}

bool LayoutIndex::Entry::is_image() const {
  return name.empty() ? manifest.artifact_type.empty() : !is_attachment_tag(name);
}

std::optional<Descriptor> LayoutIndex::find(std::string_view tag) const {
  std::optional<Descriptor> found;
  for (const Entry& entry : entries_) {
    if (tag.empty() ? !entry.is_image() : entry.name != tag) continue;
    if (found && found->digest != entry.manifest.digest) {
      if (tag.empty()) return std::nullopt;
      throw Error(Errc::bad_input,
                  fmt::format("two manifests are named `{}`: {} and {}", tag,
                              found->digest.brief(), entry.manifest.digest.brief()));
    }
    found = entry.manifest;
  }
  return found;
}

void LayoutIndex::set(std::string_view tag, const Descriptor& manifest) {
  check_name(tag);
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [&](const Entry& entry) { return entry.name == tag; }),
                 entries_.end());
  Descriptor named = manifest;
  named.annotations[k_ref_name] = tag;
  entries_.push_back({std::string(tag), manifest, canonical_json(json_of(named))});
}

void LayoutIndex::add_nameless(const Descriptor& manifest) {
  const bool there = std::any_of(
      entries_.begin(), entries_.end(),
      [&](const Entry& entry) { return entry.manifest.digest == manifest.digest; });
  if (there) return;
  entries_.push_back({"", manifest, canonical_json(json_of(manifest))});
}

std::vector<Descriptor> LayoutIndex::manifests() const {
  std::set<Digest> seen;
  std::vector<Descriptor> all;
  for (const Entry& entry : entries_) {
    if (seen.insert(entry.manifest.digest).second) all.push_back(entry.manifest);
  }
  return all;
}

std::vector<std::string> LayoutIndex::tags() const {
  std::set<std::string> names;
  for (const Entry& entry : entries_) {
    if (!entry.name.empty()) names.insert(entry.name);
  }
  return {names.begin(), names.end()};
}

std::string LayoutIndex::str() const {
  std::vector<Entry> sorted = entries_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.name, a.manifest.digest) < std::tie(b.name, b.manifest.digest);
  });
  nlohmann::json json = parse_json(other_, "index.json");
  json["schemaVersion"] = 2;
  json["mediaType"] = media_type::k_index;
  json["manifests"] = nlohmann::json::array();
  for (const Entry& entry : sorted)
    json["manifests"].push_back(parse_json(entry.text, "index.json"));
  return canonical_json(json);
}

}  // namespace oci
