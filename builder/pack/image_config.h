// image_config: what the build file says about the configuration, over the base's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oci/image/manifest.h"

#include "builder/plan/recipe.h"

namespace lithify {

// Key by key: lists replace, environment variables and labels are merged by name. A
// variable that was there keeps its place, new ones follow in order of their names.
void apply(const ConfigChange& change, oci::ImageConfig& config);

}  // namespace lithify
