// one_platform: of an image with several platforms the one that is meant.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/cli/image_place.h"
#include "builder/cli/wiring.h"

namespace lithify {

// --platform, else this machine's. Errc::bad_input for several: `what` is about one, "an
// SBOM".
oci::Platform one_platform(const Session& session, std::string_view what);

// Errc::not_found, with what could be chosen.
oci::Error no_platform(const oci::Platform& wanted,
                       const std::vector<std::string>& offered);

// The manifest for the platform, or the only one there is.
oci::Descriptor manifest_for(const FoundImage& found, const oci::Platform& wanted);

}  // namespace lithify
