#include "builder/pack/assemble.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "oci/base/json.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

#include "builder/pack/image_config.h"
#include "builder/pack/layering.h"
#include "builder/pack/write_layer.h"

namespace lithify {

namespace {

namespace media = oci::media_type;

// What is below our layers: nothing, or a base's configuration and layers.
struct Ground {
  oci::ImageConfig config;
  std::vector<oci::Descriptor> layers;
  std::string origin = {};  // PackedLayer::origin of all of them
};

oci::Compression compression_of(Layering::Compression choice) {
  switch (choice) {
    case Layering::Compression::gzip:
      return oci::Compression::gzip;
    case Layering::Compression::none:
      return oci::Compression::none;
    case Layering::Compression::zstd:
      break;
  }
  return oci::Compression::zstd;
}

// The same bytes under OCI's name: a manifest of ours does not mix the two families.
oci::Descriptor with_oci_type(oci::Descriptor layer) {
  if (layer.media_type == media::k_docker_layer_gzip)
    layer.media_type = media::k_layer_gzip;
  return layer;
}

// A base may tell less history than it has layers; readers count on one line each.
void complete_history(oci::ImageConfig& config, std::size_t layers) {
  const auto told = static_cast<std::size_t>(
      std::count_if(config.history.begin(), config.history.end(),
                    [](const oci::History& line) { return !line.empty_layer; }));
  if (told == layers) return;
  config.history.assign(layers, {config.created, "layer of the base image"});
}

// The repository of a base that is in a registry; empty for others.
std::string registry_of(const BaseImage& base) {
  constexpr std::string_view k_prefix = "image:";
  return base.location.starts_with(k_prefix) ? base.location.substr(k_prefix.size()) : "";
}

class Packer {
 public:
  Packer(const ImagePlan& plan, std::span<const Tree> results, const PackContext& context,
         std::stop_token stop)
      : plan_(plan),
        results_(results),
        context_(context),
        stop_(std::move(stop)),
        created_(oci::rfc3339(context.epoch)),
        annotations_(plan.annotations) {
    annotations_.emplace("org.opencontainers.image.created", created_);
  }

  PackedImage pack(oci::Activity& activity) {
    std::vector<PackedVariant> variants;
    for (const VariantPlan& variant : plan_.variants) {
      variants.push_back(oci::during(
          [&] { return "packing " + plan_.name + " for " + variant.platform.str(); },
          [&] { return pack(variant, activity); }));
    }
    oci::Descriptor root =
        variants.size() == 1 ? variants.front().manifest : write_index(variants);
    return {plan_.name, std::move(root), std::move(variants)};
  }

 private:
  PackedVariant pack(const VariantPlan& variant, oci::Activity& activity) {
    Ground ground = variant.base ? ground_of(*variant.base, activity) : Ground{};
    oci::ImageConfig& config = ground.config;
    config.platform = variant.platform;
    config.created = created_;
    for (const ConfigChange& change : variant.config)
      apply(change, config);

    std::vector<PackedLayer> layers;
    for (const oci::Descriptor& layer : ground.layers)
      layers.push_back({"base", layer, 0, true, true, ground.origin});
    for (const LayerChange& layer : layer_changes(variant, plan_.layering, results_)) {
      const bool empty = layer.change.nodes().empty();
      config.history.push_back({created_, layer.history, "", empty});
      if (!empty) layers.push_back(make_layer(layer, config, activity));
    }
    oci::Descriptor manifest = write_manifest(config, layers);
    return {variant.platform, std::move(manifest), std::move(layers)};
  }

  Ground ground_of(const BaseImage& base, oci::Activity& activity) {
    return oci::during(
        [&] { return "reading the base " + base.location; },
        [&] {
          const auto repository = context_.open_base(base.location);
          const auto manifest =
              oci::Manifest::parse(repository->manifest(base.manifest), base.location);
          const auto text =
              repository->open({manifest.config.digest, manifest.config.size});
          Ground ground;
          ground.config = oci::ImageConfig::parse(
              oci::read_all(*text, oci::k_max_json, "configuration of the base"),
              base.location);
          if (ground.config.diff_ids.size() != manifest.layers.size()) {
            throw oci::Error(
                oci::Errc::bad_input,
                fmt::format("the base has {} layers but {} diff ids",
                            manifest.layers.size(), ground.config.diff_ids.size()));
          }
          complete_history(ground.config, manifest.layers.size());
          for (const oci::Descriptor& layer : manifest.layers)
            ground.layers.push_back(with_oci_type(layer));
          ground.origin = registry_of(base);
          if (ground.origin.empty())
            oci::replicate(*repository, base.manifest, context_.to, activity);
          return ground;
        });
  }

  PackedLayer make_layer(const LayerChange& layer, oci::ImageConfig& config,
                         oci::Activity& parent) {
    oci::Activity activity = parent.start("layer " + layer.name);
    const auto [written, reused] = write_or_reuse(layer.change, activity);
    config.diff_ids.push_back(written.diff_id);
    activity.end(reused ? oci::Outcome::cached : oci::Outcome::done);
    return {layer.name, written.blob, written.uncompressed_size, false, reused};
  }

  std::pair<oci::Layer, bool> write_or_reuse(const Tree& change,
                                             oci::Activity& activity) {
    const oci::Compression compression = compression_of(plan_.layering.compression);
    const LayerOptions options{compression, context_.workers};
    if (context_.cache == nullptr) {
      return {write_layer(change, context_.to, options, activity, stop_), false};
    }
    const LayerKey key{change.digest(), 1, compression,
                       oci::encoder_identity(compression)};
    if (auto known = context_.cache->find(key)) return {std::move(*known), true};
    oci::Layer layer = write_layer(change, context_.to, options, activity, stop_);
    context_.cache->remember(key, layer);
    return {std::move(layer), false};
  }

  oci::Descriptor write_manifest(const oci::ImageConfig& config,
                                 const std::vector<PackedLayer>& layers) {
    const std::string text = config.str();
    oci::Manifest manifest{
        std::string(media::k_manifest), "", oci::describe(text, media::k_config), {}};
    oci::put(context_.to, text);
    for (const PackedLayer& layer : layers)
      manifest.layers.push_back(layer.blob);
    manifest.annotations = annotations_;
    return oci::put_document(context_.to, manifest.str(), media::k_manifest);
  }

  oci::Descriptor write_index(const std::vector<PackedVariant>& variants) {
    oci::Index index{std::string(media::k_index), {}};
    for (const PackedVariant& variant : variants) {
      oci::Descriptor entry = variant.manifest;
      entry.platform = variant.platform;
      index.manifests.push_back(std::move(entry));
    }
    index.annotations = annotations_;
    return oci::put_document(context_.to, index.str(), media::k_index);
  }

  const ImagePlan& plan_;
  std::span<const Tree> results_;
  const PackContext& context_;
  std::stop_token stop_;
  std::string created_;
  std::map<std::string, std::string> annotations_;
};

}  // namespace

PackedImage pack(const ImagePlan& plan, std::span<const Tree> results,
                 const PackContext& context, oci::Activity& activity,
                 std::stop_token stop) {
  return Packer(plan, results, context, std::move(stop)).pack(activity);
}

}  // namespace lithify
