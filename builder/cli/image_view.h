// image_view: an image read for looking at it: documents, layers, files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oci/image/manifest.h"
#include "oci/image/repository.h"
#include "oci/layer/entry.h"

namespace lithify {

struct LayerView {
  oci::Descriptor blob;
  std::string history;  // what made it; empty: not told
};

struct VariantView {
  oci::Platform platform;
  oci::Descriptor manifest;
  oci::ImageConfig config;
  std::vector<LayerView> layers;
};

struct ImageView {
  oci::Descriptor root;
  std::map<std::string, std::string> annotations;
  std::vector<VariantView> variants;  // of one manifest: one
};

ImageView view_image(const oci::Repository& images, const oci::Descriptor& root);

// One path of the image as it is when all layers lie on each other.
struct FileView {
  oci::Entry entry;
  std::size_t layer = 0;  // index of the one it came from
};

// The files at and below `path` ("" for all), in byte order. Reads every layer.
std::vector<FileView> view_files(const oci::Repository& images,
                                 const VariantView& variant, std::string_view path);

}  // namespace lithify
