// base_image: images in OCI layouts, asked for a platform.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oci/image/repository.h"

#include "builder/plan/lock.h"
#include "builder/resolve/lower.h"
#include "builder/resolve/requests.h"

namespace lithify {

// The manifest that `request` means now. Relative paths are below `directory`. Throws
// Errc::not_found with the place and what there is instead.
LockedImage resolve_base(const BaseRequest& request, const std::string& directory);

// What the image of `manifest` says of its layers. Errc::bad_input if it contradicts
// itself; `what` names it in messages.
BaseLayers base_layers(const oci::Repository& images, const oci::Descriptor& manifest,
                       const std::string& what);

// The layers of what the lock names for the recipe's bases, for lower(). Errc::not_found
// with a hint if a layout no longer has one.
BaseManifests base_manifests(const Recipe& recipe, const Lock& lock);

}  // namespace lithify
