// workspace: the build file and the lock beside it, read for a command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "builder/cli/wiring.h"
#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"

namespace lithify {

struct Workspace {
  Recipe recipe;
  std::filesystem::path lock_file;  // lithify.lock beside lithify.yaml
  std::optional<Lock> lock;         // none: there is no such file
};

// Reads the build file that the options name and tells its problems; Reported if one of
// them is an error. A build file that is not there is Errc::not_found.
Recipe read_recipe(Session& session, const std::vector<oci::Platform>& platforms);
Workspace open_workspace(Session& session);

// The platforms of --platform.
std::vector<oci::Platform> wanted_platforms(const Options& options);

}  // namespace lithify
