// assemble: trees to an image: layers, configuration, manifest, and an index if needed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/worker_pool.h"
#include "oci/image/repository.h"
#include "oci/layer/layer_writer.h"

#include "builder/plan/build_plan.h"
#include "builder/tree/layer_cache.h"
#include "builder/tree/tree.h"

namespace lithify {

struct PackedLayer {
  std::string name;  // for people
  oci::Descriptor blob;
  std::uint64_t uncompressed_size = 0;  // 0: of a base, not known
  bool from_base = false;
  bool reused = false;  // written by an earlier build
  // The repository that has it, "docker.io/library/debian": it may not be in the store,
  // because packing did not need it. Empty: it is there.
  std::string origin = {};
};

struct PackedVariant {
  oci::Platform platform;
  oci::Descriptor manifest;
  std::vector<PackedLayer> layers;
};

// Several platforms make an index; one makes its manifest alone.
struct PackedImage {
  std::string name;
  oci::Descriptor root;
  std::vector<PackedVariant> variants;
};

// What packing may use. References outlive the call.
struct PackContext {
  oci::Repository& to;  // gets all blobs and manifests; holds the contents of trees
  oci::WorkerPool& workers;
  LayerCache* cache = nullptr;  // null: every layer is written anew
  // Opens BaseImage::location. Of a base in a registry the manifest and the configuration
  // alone are read, which the store has.
  std::function<std::unique_ptr<oci::Repository>(const std::string& location)> open_base;
  std::int64_t epoch = 315532800;
};

// Layers of a base in a layout are copied, those of one in a registry only referred to.
// `results` are the trees of the graph's steps. Sets no tag.
PackedImage pack(const ImagePlan& plan, std::span<const Tree> results,
                 const PackContext& context, oci::Activity& activity,
                 std::stop_token stop);

}  // namespace lithify
