// lower: from what was locked to the work that makes it. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "oci/image/manifest.h"

#include "builder/plan/build_plan.h"
#include "builder/plan/lock.h"

namespace lithify {

// What a base says of its layers, lowest first: as many diff ids as layers.
struct BaseLayers {
  std::vector<oci::Descriptor> blobs;
  std::vector<oci::Digest> diff_ids;
  std::map<std::string, std::string> env = {};  // what its configuration says
};

// By the digest of the base's manifest: what base_image reads from the layouts.
using BaseManifests = std::map<oci::Digest, BaseLayers>;

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
