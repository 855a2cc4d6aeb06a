// descriptor_json: OCI image-spec, descriptor.md.
#include "oci/image/descriptor_json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace oci {

namespace {

// RFC 6838, restricted-name: a letter or digit, then up to 126 of a few characters.
bool is_media_name(std::string_view name) {
  const auto is_alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 127 && is_alnum(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return is_alnum(c) || std::string_view("!#$&-^_.+").find(c) != name.npos;
         });
}

std::string parse_media_type(const DocumentNode& node) {
  const std::string text = node.text();
  const std::string_view type(text);
  const std::size_t slash = type.find('/');
  if (slash == std::string_view::npos || !is_media_name(type.substr(0, slash)) ||
      !is_media_name(type.substr(slash + 1))) {
    node.refuse("a media type was expected");
  }
  return text;
}

}  // namespace

Digest parse_digest(const DocumentNode& node) {
  const auto digest = Digest::parse(node.text());
  if (!digest) node.refuse("sha256: and 64 lower-case hex digits were expected");
  return *digest;
}

// Spelled as Platform::parse spells it, so that platforms compare; names that it does not
// take (an index may have "unknown/unknown" and worse) stay as they are.
Platform parse_platform(const DocumentNode& node) {
  const Platform given{node.require("os").text(), node.require("architecture").text(),
                       node.text_or_empty("variant")};
  return Platform::parse(given.str()).value_or(given);
}

Descriptor parse_descriptor(const DocumentNode& node) {
  const DocumentNode size = node.require("size");
  if (size.number() < 0) size.refuse("a size cannot be negative");
  Descriptor descriptor{parse_media_type(node.require("mediaType")),
                        parse_digest(node.require("digest")),
                        static_cast<std::uint64_t>(size.number())};
  if (const auto platform = node.find("platform"))
    descriptor.platform = parse_platform(*platform);
  if (const auto annotations = node.find("annotations"))
    descriptor.annotations = annotations->text_map();
  descriptor.artifact_type = node.text_or_empty("artifactType");
  return descriptor;
}

nlohmann::json json_of(const Descriptor& descriptor) {
  nlohmann::json json{{"mediaType", descriptor.media_type},
                      {"digest", descriptor.digest.str()},
                      {"size", descriptor.size}};
  if (const auto& platform = descriptor.platform) {
    json["platform"] = {{"os", platform->os}, {"architecture", platform->architecture}};
    if (!platform->variant.empty()) json["platform"]["variant"] = platform->variant;
  }
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (!descriptor.artifact_type.empty()) json["artifactType"] = descriptor.artifact_type;
  return json;
}

}  // namespace oci
