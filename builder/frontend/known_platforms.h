// known_platforms: what images can be built for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oci/base/descriptor.h"
#include "oci/base/error.h"

namespace lithify {

// Linux on what Go, and with it every container runtime, has a name for.
bool is_known(const oci::Platform& platform);

// Errc::bad_input, with the name that may have been meant.
oci::Error unknown_platform(const oci::Platform& platform);

}  // namespace lithify
