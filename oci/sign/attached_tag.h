// attached_tag: the manifest behind a tag `.sig` or `.att`: one layer a signature.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/image/referring_repository.h"

namespace oci {

// As many layers as cosign allows in one such manifest, and referrers that we look at.
inline constexpr std::size_t k_max_attached = 1000;

// The layers of the manifest; none if there is no such tag.
std::vector<Descriptor> attached_layers(const ReferringRepository& from,
                                        const std::string& tag);

// The manifest of these layers, which are in `to` already; puts its configuration there
// too.
std::string attached_manifest(ReferringRepository& to, std::vector<Descriptor> layers);

}  // namespace oci
