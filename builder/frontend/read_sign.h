// read_sign: `sign` of an image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "builder/frontend/problems.h"
#include "builder/frontend/yaml.h"
#include "builder/plan/recipe.h"

namespace lithify {

// Takes the node after expansion; nullopt for `null`. What the schema has refused already
// is left out.
std::optional<SignRule> read_sign(const YamlNode& sign, Problems& problems);

}  // namespace lithify
