// fetched_tree: what a Fetch will give, known before a byte has been fetched.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/plan/step.h"
#include "builder/tree/tree.h"

namespace lithify {

// mtime of all that comes from no package or archive: 1980-01-01T00:00:00Z.
inline constexpr std::int64_t k_constant_time = 315532800;

// One file, 0644, whose content is the whole blob.
Tree fetched_tree(const Fetch& fetch);

}  // namespace lithify
