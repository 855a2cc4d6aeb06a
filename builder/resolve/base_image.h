// base_image: images in OCI layouts and registries, asked for a platform.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oci/image/repository.h"

#include "builder/plan/lock.h"
#include "builder/resolve/lower.h"
#include "builder/resolve/requests.h"
#include "builder/resolve/resolver.h"

namespace lithify {

struct BaseTools {
  const std::string& directory;  // what paths of layouts are relative to
  World& world;
  oci::Activity& activity;  // of the resolving
};

// The manifest that `request` means now; of a registry's image the documents are in the
// store afterwards. `sibling` is what the ref was locked as for another platform, or
// nullptr: its index is asked, whatever the tag means by now. Throws Errc::not_found with
// the place and what there is instead, Errc::unavailable without a network.
LockedImage resolve_base(const BaseRequest& request, const LockedImage* sibling,
                         const BaseTools& tools);

// Where an image is kept: the path of a layout, the name of a repository.
std::string place_of(const BaseRequest& request);

// What the image of `manifest` says of its layers. Errc::bad_input if it contradicts
// itself; `what` names it in messages.
BaseLayers base_layers(const oci::Repository& images, const oci::Descriptor& manifest,
                       const std::string& what);

// The layers of what the lock names for the recipe's bases, for lower(). The documents of
// registries' images are read from the store, and fetched into it by their digest if they
// are gone. Errc::not_found with a hint if a layout or registry no longer has one.
BaseManifests base_manifests(const Recipe& recipe, const Lock& lock, const World& world);

}  // namespace lithify
