// read_tests: the tests of one image on one platform.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "builder/frontend/step_context.h"

namespace lithify {

using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

// Takes the list after expansion, or nullptr. Tests whose condition does not hold are
// left out.
std::vector<TestRecipe> read_tests(const YamlNode* tests, const StepContext& context,
                                   const ReadFile& read_file);

// The tests of a file of container-structure-test, schemaVersion 2.0.0, as far as they
// mean the same here; what does not is reported. `file` is how messages call it. Hostile
// text is a problem, never an exception.
std::vector<TestRecipe> read_structure_test(const std::string& file,
                                            std::string_view text, Problems& problems);

// Reports what is no Pattern.
void check_pattern(const YamlNode& pattern, Problems& problems);

}  // namespace lithify
