// write_layer: a tree's change as one layer blob of format 1.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>

#include "oci/base/activity.h"
#include "oci/layer/layer_writer.h"

#include "builder/tree/tree.h"

namespace lithify {

struct LayerOptions {
  oci::Compression compression = oci::Compression::zstd;
  oci::WorkerPool& workers;
};

// Contents are read from `store` or from the user's files; the blob goes to `store`.
// Names of one file become hard links where all their attributes agree. Throws Cancelled
// if `stop` is requested.
oci::Layer write_layer(const Tree& change, oci::BlobStore& store,
                       const LayerOptions& options, oci::Activity& activity,
                       std::stop_token stop);

}  // namespace lithify
