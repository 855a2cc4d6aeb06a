// epoch: the time that an image says it was created at.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "builder/cli/environment.h"
#include "builder/plan/recipe.h"

namespace lithify {

// Seconds since 1970 for `created`. `origin` says which rule gave them.
struct Epoch {
  std::int64_t seconds = 315532800;  // 1980-01-01
  std::string origin;
};

// SOURCE_DATE_EPOCH, else the build file's rule, else the time of the git commit of its
// directory, else 1980-01-01. Errc::bad_input for a time that RFC 3339 cannot write,
// Errc::not_found where the rule wants a commit and there is none.
Epoch epoch_of(const EpochRule& rule, const std::string& directory,
               const Environment& environment);

}  // namespace lithify
