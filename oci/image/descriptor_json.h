// descriptor_json: descriptors and platforms in and out of documents.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "oci/base/descriptor.h"
#include "oci/image/document_node.h"

namespace oci {

Digest parse_digest(const DocumentNode& node);
Platform parse_platform(const DocumentNode& node);
Descriptor parse_descriptor(const DocumentNode& node);
nlohmann::json json_of(const Descriptor& descriptor);

// The annotation by which layouts and archives name a manifest (image-spec,
// annotations.md).
inline constexpr const char* k_ref_name = "org.opencontainers.image.ref.name";

}  // namespace oci
