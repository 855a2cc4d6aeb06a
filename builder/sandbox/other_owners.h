// other_owners: a second map of ids, for telling what a program makes of the first.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// Others than probe.owners, that may be used in their place at the same level; nullopt:
// there are none here.
std::optional<OwnerMap> other_owners(const SandboxProbe& probe);

}  // namespace lithify
