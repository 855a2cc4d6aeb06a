// checkout: whether a commit that others can have is what a build read, and fetching one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "builder/attest/provenance.h"
#include "builder/plan/recipe.h"

namespace lithify {

// The commit that the build file's directory is at, if all local sources lie in that
// checkout, nothing that they take differs from it, and it came from a remote. git is run
// as a program; where it is missing or refuses, there is none.
std::optional<Provenance::Checkout> clean_checkout(const Recipe& recipe);

// Fetches the commit into `to`, which is made, and returns the directory of the build
// file in it. The address is a stranger's: only https, ssh and git are spoken, and `file`
// if the user trusts whoever said it; hooks, filters and submodules are not run. Errc::
// bad_input for other addresses, Errc::unavailable with a hint if git cannot have it.
std::filesystem::path fetch_checkout(const Provenance::Checkout& checkout,
                                     const std::filesystem::path& to, bool trusted);

}  // namespace lithify
