// overlay_layer: what lies on one tree so that another one is seen.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/tree/tree.h"

namespace lithify {

// The change that makes the full tree `after` of the full tree `before` where layers are
// laid upon each other as the kernel's overlay does it: what differs, whiteouts, and
// above both every directory with the attributes it has in `after`, times too.
Tree overlay_layer(const Tree& before, const Tree& after);

}  // namespace lithify
