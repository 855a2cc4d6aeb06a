#include "builder/resolve/base_image.h"

#include <filesystem>

#include <fmt/format.h>

#include "oci/base/json.h"
#include "oci/image/layout.h"

namespace lithify {

namespace {

std::unique_ptr<oci::Repository> open(const LayoutSource& source,
                                      const std::string& directory) {
  return oci::open_layout(std::filesystem::path(directory) / source.path);
}

// The tag asked for, or the only one there.
oci::Descriptor root_of(const oci::Repository& layout, const LayoutSource& source) {
  const std::vector<std::string> tags = layout.tags();
  std::string tag = source.tag;
  if (tag.empty() && tags.size() == 1) tag = tags.front();
  if (!tag.empty()) {
    if (const auto root = layout.resolve(tag)) return *root;
  }
  std::string all;
  for (const auto& known : tags)
    all += (all.empty() ? "" : ", ") + known;
  throw oci::Error(
      oci::Errc::not_found,
      source.tag.empty()
          ? fmt::format("the layout {} holds {} images; say which", source.path,
                        tags.size())
          : fmt::format("the layout {} has no image `{}`", source.path, source.tag))
      .add_hint(all.empty() ? "it has no named image at all" : "it has: " + all);
}

bool is_index(const oci::Descriptor& descriptor) {
  return descriptor.media_type == oci::media_type::k_index ||
         descriptor.media_type == oci::media_type::k_docker_index;
}

oci::Error not_there(const LayoutSource& source, const oci::Platform& platform,
                     const std::string& instead) {
  return oci::Error(oci::Errc::not_found,
                    fmt::format("the image in {} is not there for {}", source.path,
                                platform.str()))
      .add_hint("it is there for: " + instead);
}

oci::Descriptor manifest_for(const oci::Repository& layout, const oci::Descriptor& root,
                             const oci::Platform& platform, const LayoutSource& source) {
  if (!is_index(root)) return root;
  std::string all;
  const auto index = oci::Index::parse(layout.manifest(root), source.path);
  for (const oci::Descriptor& manifest : index.manifests) {
    if (!manifest.platform) continue;
    // Indexes write "arm64/v8" or "arm64"; parsing both normalises them.
    const auto found = oci::Platform::parse(manifest.platform->str());
    if (found == platform) return manifest;
    all += (all.empty() ? "" : ", ") + manifest.platform->str();
  }
  throw not_there(source, platform, all);
}

oci::ImageConfig config_of(const oci::Repository& images, const oci::Manifest& manifest,
                           const std::string& what) {
  const auto blob = images.open({manifest.config.digest, manifest.config.size});
  return oci::ImageConfig::parse(
      oci::read_all(*blob, oci::k_max_json, "the configuration"), what);
}

// An image alone says only in its configuration what it is for; not all say a variant.
void check_platform(const oci::Repository& layout, const oci::Descriptor& manifest,
                    const oci::Platform& platform, const LayoutSource& source) {
  const auto parsed = oci::Manifest::parse(layout.manifest(manifest), source.path);
  const auto config = config_of(layout, parsed, source.path);
  auto its = oci::Platform::parse(config.platform.str());
  if (its && config.platform.variant.empty()) its->variant = platform.variant;
  if (its != platform) throw not_there(source, platform, config.platform.str());
}

}  // namespace

LockedImage resolve_base(const BaseRequest& request, const std::string& directory) {
  try {
    const auto layout = open(*request.source, directory);
    const oci::Descriptor root = root_of(*layout, *request.source);
    const oci::Descriptor manifest =
        manifest_for(*layout, root, request.platform, *request.source);
    if (!is_index(root)) {
      check_platform(*layout, manifest, request.platform, *request.source);
    }
    return {request.ref, request.platform, manifest.digest, manifest.size};
  } catch (oci::Error& error) {
    error.at(request.place, "asked for here");
    throw;
  }
}

BaseLayers base_layers(const oci::Repository& images, const oci::Descriptor& manifest,
                       const std::string& what) {
  auto parsed = oci::Manifest::parse(images.manifest(manifest), what);
  auto config = config_of(images, parsed, what);
  if (config.diff_ids.size() != parsed.layers.size()) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("{} has {} layers, but {} diff ids", what,
                                 parsed.layers.size(), config.diff_ids.size()));
  }
  return {std::move(parsed.layers), std::move(config.diff_ids)};
}

BaseManifests base_manifests(const Recipe& recipe, const Lock& lock) {
  BaseManifests manifests;
  for (const BaseRequest& request : requests_of(recipe).bases) {
    for (const LockedImage& locked : lock.images) {
      if (locked.ref != request.ref || locked.platform != request.platform) continue;
      const oci::Descriptor which{std::string(oci::media_type::k_manifest),
                                  locked.manifest, locked.size};
      try {
        const auto layout = open(*request.source, recipe.directory);
        manifests.emplace(locked.manifest, base_layers(*layout, which, locked.ref));
      } catch (oci::Error& error) {
        error.at(request.place, "locked as " + locked.manifest.brief());
        error.add_hint("if the base was replaced on purpose: `lithify lock --update`");
        throw;
      }
    }
  }
  return manifests;
}

}  // namespace lithify
