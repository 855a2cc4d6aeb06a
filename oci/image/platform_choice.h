// platform_choice: which image of an index a platform gets. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "oci/image/manifest.h"

namespace oci {

// Whether what was built for `offered` runs on `wanted`: the same system and
// architecture, and the same variant or a lower one of its family (arm/v6 on arm/v7).
// Never another architecture, though some processors could.
bool serves(const Platform& offered, const Platform& wanted);

struct PlatformChoice {
  std::optional<Descriptor> manifest;  // the highest variant that serves, the first of it
  // The index has one image and does not say for what: it is taken, and its configuration
  // must tell.
  bool unnamed = false;
  std::vector<std::string> offered = {};  // sorted: what there is, for messages
};
PlatformChoice choose_platform(std::span<const Descriptor> images,
                               const Platform& wanted);

// The images of an index in its order; where an index stands inside, those of that one,
// unless it is said to be for something else than `wanted`. Attestations, what is for
// "unknown/unknown" and what is no image at all are left out. `read` gives the text of
// an index inside, as Repository::manifest does. Errc::bad_input at more than three
// indexes in each other or 1,000 entries.
std::vector<Descriptor> images_of(
    const Index& index, const Platform& wanted,
    const std::function<std::string(const Descriptor&)>& read);

}  // namespace oci
