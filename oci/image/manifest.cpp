// manifest: OCI image-spec, manifest.md and image-index.md.
#include "oci/image/manifest.h"

#include <initializer_list>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/descriptor_json.h"

namespace oci {

namespace {

// The document's media type; `oci_type` if it does not tell. Documents that could be read
// as two things at once were used to show one image to a scanner and run another.
std::string checked_media_type(const DocumentNode& document, std::string_view oci_type,
                               std::string_view docker_type,
                               std::initializer_list<const char*> foreign) {
  const DocumentNode version = document.require("schemaVersion");
  if (version.number() != 2) version.refuse("only schema version 2 is supported");
  for (const char* key : foreign) {
    if (document.value().contains(key)) {
      document.refuse(fmt::format("`{}` has no place in this kind of document", key));
    }
  }
  const auto given = document.find("mediaType");
  if (!given) return std::string(oci_type);
  const std::string type = given->text();
  if (type != oci_type && type != docker_type) {
    given->refuse(fmt::format("`{}` was expected, not `{}`", oci_type, type));
  }
  return type;
}

std::vector<Descriptor> parse_descriptors(const DocumentNode& list) {
  std::vector<Descriptor> descriptors;
  for (const DocumentNode& item : list.items())
    descriptors.push_back(parse_descriptor(item));
  return descriptors;
}

nlohmann::json json_of(const std::vector<Descriptor>& descriptors) {
  nlohmann::json list = nlohmann::json::array();
  for (const Descriptor& descriptor : descriptors)
    list.push_back(oci::json_of(descriptor));
  return list;
}

nlohmann::json head(const std::string& media_type, std::string_view oci_type,
                    const std::map<std::string, std::string>& annotations) {
  nlohmann::json json{
      {"schemaVersion", 2},
      {"mediaType", media_type.empty() ? std::string(oci_type) : media_type}};
  if (!annotations.empty()) json["annotations"] = annotations;
  return json;
}

}  // namespace

Manifest Manifest::parse(std::string_view json, std::string_view what) {
  const nlohmann::json parsed = parse_json(json, what);
  const DocumentNode document(parsed, std::string(what));
  Manifest manifest{
      checked_media_type(document, media_type::k_manifest, media_type::k_docker_manifest,
                         {"manifests", "fsLayers", "history", "blobs"}),
      document.text_or_empty("artifactType"),
      parse_descriptor(document.require("config")),
      parse_descriptors(document.require("layers"))};
  if (const auto subject = document.find("subject"))
    manifest.subject = parse_descriptor(*subject);
  if (const auto annotations = document.find("annotations"))
    manifest.annotations = annotations->text_map();
  return manifest;
}

std::string Manifest::str() const {
  nlohmann::json json = head(media_type, media_type::k_manifest, annotations);
  if (!artifact_type.empty()) json["artifactType"] = artifact_type;
  json["config"] = oci::json_of(config);
  json["layers"] = json_of(layers);
  if (subject) json["subject"] = oci::json_of(*subject);
  return canonical_json(json);
}

Index Index::parse(std::string_view json, std::string_view what) {
  const nlohmann::json parsed = parse_json(json, what);
  const DocumentNode document(parsed, std::string(what));
  Index index{
      checked_media_type(document, media_type::k_index, media_type::k_docker_index,
                         {"layers", "config", "fsLayers", "history", "blobs"}),
      parse_descriptors(document.require("manifests"))};
  if (const auto annotations = document.find("annotations"))
    index.annotations = annotations->text_map();
  return index;
}

std::string Index::str() const {
  nlohmann::json json = head(media_type, media_type::k_index, annotations);
  json["manifests"] = json_of(manifests);
  return canonical_json(json);
}

Descriptor describe(std::string_view document, std::string_view media_type) {
  return {std::string(media_type), Digest::of(document), document.size()};
}

}  // namespace oci
