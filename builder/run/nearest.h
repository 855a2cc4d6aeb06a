// nearest: the path a person may have meant.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/tree/tree.h"

namespace lithify {

// The path of the tree nearest to `wanted`: the same name elsewhere, or one that differs
// in a few letters. nullopt if none is near.
std::optional<std::string> nearest_path(std::string_view wanted, const Tree& tree);

}  // namespace lithify
