// check_shape: holds a tree against the table.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "builder/frontend/problems.h"
#include "builder/frontend/schema.h"
#include "builder/frontend/yaml.h"

namespace lithify {

// Reports every difference. `where` names the node for people: "`config`".
void check_shape(const YamlNode& node, const Shape& shape, const std::string& where,
                 Problems& problems);
// A key of a map, expanded if it may be.
void check_key(const YamlNode& key, const Shape& map, Problems& problems);
// One scalar whose references are expanded.
void check_scalar(const YamlNode& node, const Shape& shape, const std::string& where,
                  Problems& problems);

}  // namespace lithify
