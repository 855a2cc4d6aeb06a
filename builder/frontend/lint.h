// lint: what is allowed in a build file but probably not meant.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/frontend/problems.h"
#include "builder/frontend/yaml.h"

namespace lithify {

// Warns of paths declared twice and of steps that cost a copy of a layer, in a recipe
// without errors.
void lint_recipe(const Recipe& recipe, Problems& problems);
// Warns of references that stand where nothing expands them, in the file as written.
void lint_texts(const YamlNode& file, Problems& problems);

}  // namespace lithify
