#include "builder/cli/image_view.h"

#include <map>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/layer/layer_reader.h"

namespace lithify {

namespace {

// History has a line for each layer, in order, and further ones that made none.
std::vector<LayerView> layers_of(const oci::Manifest& manifest,
                                 const oci::ImageConfig& config) {
  std::vector<LayerView> layers;
  auto line = config.history.begin();
  for (const oci::Descriptor& blob : manifest.layers) {
    while (line != config.history.end() && line->empty_layer)
      ++line;
    layers.push_back({blob, line != config.history.end() ? line++->created_by : ""});
  }
  return layers;
}

VariantView view_variant(const oci::Repository& images, const oci::Descriptor& which) {
  const auto manifest = oci::Manifest::parse(images.manifest(which), which.digest.str());
  const auto text = images.open({manifest.config.digest, manifest.config.size});
  auto config = oci::ImageConfig::parse(
      oci::read_all(*text, oci::k_max_json, "image configuration"),
      "image configuration");
  auto layers = layers_of(manifest, config);
  return {which.platform.value_or(config.platform), which, std::move(config),
          std::move(layers)};
}

bool is_index(const oci::Descriptor& which) {
  return which.media_type == oci::media_type::k_index ||
         which.media_type == oci::media_type::k_docker_index;
}

using Files = std::map<std::string, FileView>;

void erase_below(Files& files, const std::string& path) {
  if (path.empty()) return files.clear();
  files.erase(files.lower_bound(path + "/"), files.lower_bound(path + "0"));
}

void lay(Files& files, const oci::Entry& entry, std::size_t layer) {
  if (entry.type == oci::FileType::opaque) return erase_below(files, entry.path);
  if (entry.type == oci::FileType::whiteout) {
    erase_below(files, entry.path);
    files.erase(entry.path);
    return;
  }
  if (entry.type != oci::FileType::directory) erase_below(files, entry.path);
  files.insert_or_assign(entry.path, FileView{entry, layer});
}

// Whiteouts take from the layers below, whatever comes first in their own.
void lay_layer(Files& files, oci::ArchiveReader& reader, std::size_t layer) {
  std::vector<oci::Entry> entries;
  while (const auto entry = reader.next())
    entries.push_back(*entry);
  const auto takes = [](const oci::Entry& entry) {
    return entry.type == oci::FileType::whiteout || entry.type == oci::FileType::opaque;
  };
  for (const oci::Entry& entry : entries) {
    if (takes(entry)) lay(files, entry, layer);
  }
  for (const oci::Entry& entry : entries) {
    if (!takes(entry)) lay(files, entry, layer);
  }
}

bool below(std::string_view path, std::string_view top) {
  if (top.empty() || path == top) return true;
  return path.size() > top.size() && path.substr(0, top.size()) == top &&
         path[top.size()] == '/';
}

}  // namespace

ImageView view_image(const oci::Repository& images, const oci::Descriptor& root) {
  if (!is_index(root)) {
    VariantView variant = view_variant(images, root);
    const auto manifest = oci::Manifest::parse(images.manifest(root), root.digest.str());
    ImageView view{root, manifest.annotations, {}};
    view.variants.push_back(std::move(variant));
    return view;
  }
  const auto index = oci::Index::parse(images.manifest(root), root.digest.str());
  ImageView view{root, index.annotations, {}};
  for (const oci::Descriptor& entry : index.manifests) {
    if (is_index(entry)) {
      throw oci::Error(oci::Errc::bad_input, "an index within an index cannot be shown");
    }
    // A layout may hold some platforms of an image only.
    if (images.has_manifest(entry.digest)) {
      view.variants.push_back(view_variant(images, entry));
    }
  }
  return view;
}

std::vector<FileView> view_files(const oci::Repository& images,
                                 const VariantView& variant, std::string_view path) {
  Files files;
  for (std::size_t i = 0; i < variant.layers.size(); ++i) {
    const oci::Descriptor& blob = variant.layers[i].blob;
    // Nothing is unpacked, so a layer of zeros does no harm.
    const auto reader =
        oci::read_layer(images.open({blob.digest, blob.size}),
                        "layer " + blob.digest.brief(), {.ratio = UINT64_MAX});
    lay_layer(files, *reader, i);
  }
  std::vector<FileView> found;
  for (auto& [name, file] : files) {
    if (below(name, path)) found.push_back(std::move(file));
  }
  if (found.empty() && !path.empty()) {
    throw oci::Error(oci::Errc::not_found, fmt::format("the image has no /{}", path))
        .add_hint("list a directory above it");
  }
  return found;
}

}  // namespace lithify
