// read_config: `config`, `layering` and `outputs` of an image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "builder/frontend/problems.h"
#include "builder/frontend/yaml.h"
#include "builder/plan/recipe.h"

namespace lithify {

// All take the node after expansion, or nullptr.
ConfigChange read_config(const YamlNode* config, Problems& problems);
Layering read_layering(const YamlNode* layering);
std::vector<Output> read_outputs(const YamlNode* outputs);

}  // namespace lithify
