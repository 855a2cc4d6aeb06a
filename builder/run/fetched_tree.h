// fetched_tree: what a Fetch will give, known before a byte has been fetched.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/plan/step.h"
#include "builder/tree/tree.h"

namespace lithify {

// One file, 0644, whose content is the whole blob.
Tree fetched_tree(const Fetch& fetch);

}  // namespace lithify
