// build_for: a build for a command that wants to look at what it makes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "builder/cli/attesting.h"

namespace lithify {

// Builds the named images of the build file, or all, as `build` does, but writes no
// outputs and pushes nothing. `look` is called when all are packed; what it is given ends
// with the call. The lock is written as by `build`.
void build_for(
    Session& session, const std::vector<std::string>& images,
    const std::function<void(const BuildFacts&, const std::vector<PackedImage>&)>& look);

// `lithify test` of what the build file says.
int test_what_is_built(Session& session);

}  // namespace lithify
