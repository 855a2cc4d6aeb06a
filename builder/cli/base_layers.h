// base_layers: layers of bases that nobody has read yet, fetched when their bytes are
// wanted.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "builder/cli/wiring.h"
#include "builder/pack/assemble.h"

namespace lithify {

// Tells the session where layers of bases are.
void know_base_layers(Session& session, const PackedImage& image);

// Puts those of `variants` that are missing into the store, four at a time. Throws
// Errc::unavailable with --offline.
void fetch_base_layers(Session& session, const std::vector<PackedVariant>& variants);

}  // namespace lithify
