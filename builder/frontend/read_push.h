// read_push: `push` of an image, and what several of them may not do together.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "builder/frontend/interpolate.h"

namespace lithify {

// What `scope` says inside of `push`: nothing that differs between platforms.
Scope push_scope(Scope scope);
// Takes the list after expansion, or nullptr. What a `when` switches off is left out.
std::vector<PushTarget> read_push(const YamlNode* push, const Scope& scope,
                                  Problems& problems);
// Reports every tag that two images would write.
void check_push(const std::vector<ImageRecipe>& images, Problems& problems);

}  // namespace lithify
