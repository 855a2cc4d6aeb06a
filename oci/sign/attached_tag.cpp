// attached_tag: cosign's SIGNATURE_SPEC.md, "Storage".
#include "oci/sign/attached_tag.h"

#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/manifest.h"

namespace oci {

namespace {

// cosign keeps an image's configuration there, with one line for each layer.
std::string classic_config(const std::vector<Descriptor>& layers) {
  constexpr const char* k_never = "0001-01-01T00:00:00Z";
  nlohmann::json diff_ids = nlohmann::json::array();
  nlohmann::json history = nlohmann::json::array();
  for (const Descriptor& layer : layers) {
    diff_ids.push_back(layer.digest.str());
    history.push_back({{"created", k_never}});
  }
  return canonical_json({{"architecture", ""},
                         {"config", nlohmann::json::object()},
                         {"created", k_never},
                         {"history", history},
                         {"os", ""},
                         {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}});
}

}  // namespace

std::vector<Descriptor> attached_layers(const ReferringRepository& from,
                                        const std::string& tag) {
  const auto document = from.manifest_of(tag);
  if (!document) return {};
  return Manifest::parse(*document, "the tag " + tag).layers;
}

std::string attached_manifest(ReferringRepository& to, std::vector<Descriptor> layers) {
  const std::string config = classic_config(layers);
  put(to, config);
  Manifest manifest{std::string(media_type::k_manifest), "",
                    describe(config, media_type::k_config)};
  manifest.layers = std::move(layers);
  return manifest.str();
}

}  // namespace oci
