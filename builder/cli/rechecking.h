// rechecking: which commands of a build are performed twice, and how that is told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "builder/cli/options.h"
#include "builder/cli/prepare.h"
#include "builder/run/recheck.h"

namespace lithify {

// What --rebuild-check and the `policy` of the images ask for; null: nothing.
// `prepared` outlives it. Errc::bad_input for a step that there is not.
std::unique_ptr<Rechecks> rechecks_of(const Prepared& prepared, const Options& options,
                                      bool pushes);

// A line for the end of a build.
std::string recheck_summary(const Rechecks& rechecks);

}  // namespace lithify
