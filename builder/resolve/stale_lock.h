// stale_lock: what a lock does not answer, as the error that says so.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "oci/base/error.h"

#include "builder/plan/recipe.h"

namespace lithify {

// A lithify command on `recipe`'s build file, as one would type it: "lithify lock", with
// the file where it is not the usual one.
std::string as_typed(const char* command, const Recipe& recipe);

// Errc::stale, number L0210: the lock beside `recipe`'s build file is out of date.
// `place` is what asks, `label` what is missing; the hint is the command that completes
// the lock.
oci::Error stale_lock(const Recipe& recipe, const Place& place, std::string label);

// The same of a run step with network: pinned, whose outputs only a build can lock.
oci::Error outputs_not_locked(const Recipe& recipe, const Place& place,
                              std::string label);

}  // namespace lithify
