// lower: from what was locked to the work that makes it. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "oci/image/manifest.h"

#include "builder/plan/build_plan.h"
#include "builder/plan/lock.h"

namespace lithify {

// The manifests of base images, by digest: what BaseImages read from their layouts.
using BaseManifests = std::map<oci::Digest, oci::Manifest>;

// Which images of the recipe to build; empty: all. Those they stand on come along as
// layers.
struct LowerRequest {
  std::vector<std::string> images;
  std::int64_t epoch = 315532800;
};

// Throws Errc::stale if the lock does not answer the recipe (see unmet()),
// Errc::bad_input for an image name the recipe does not have, with the nearest one.
BuildPlan lower(const Recipe& recipe, const Lock& lock, const BaseManifests& bases,
                const LowerRequest& request);

}  // namespace lithify
