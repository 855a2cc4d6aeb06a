// root_tree: the whole root file system of an image, its base included.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/cli/wiring.h"
#include "builder/plan/build_plan.h"
#include "builder/tree/tree.h"

namespace lithify {

// Opens BaseImage::location; for one in a registry the store, which has its documents.
std::unique_ptr<oci::Repository> open_base(Session& session, const std::string& location);

Tree root_tree(Session& session, const VariantPlan& variant,
               std::span<const Tree> results, Workshop& workshop,
               oci::Activity& activity);

// The tree as an uncompressed tar of format 1 in the store.
oci::BlobRef flat_tar(Session& session, const Tree& root, oci::Activity& activity);

}  // namespace lithify
