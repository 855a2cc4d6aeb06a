// scripted_packages: the command that lets a tree's own dpkg install packages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/plan/recipe.h"

namespace lithify {

// A command with one mount, a tree as ArrangeDebianAction makes it; its from is for
// messages. It sees no environment but what makes maintainer scripts ask nothing.
RunStep scripted_install(const PackagesStep& packages);

}  // namespace lithify
