// workspace: the build file and the lock beside it, read for a command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "builder/cli/git.h"
#include "builder/cli/wiring.h"
#include "builder/frontend/lithify_file.h"
#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"

namespace lithify {

struct Workspace {
  Recipe recipe;
  std::filesystem::path lock_file;  // lithify.lock beside lithify.yaml
  std::optional<Lock> lock;         // none: there is no such file
};

// One reading of a build file, for these platforms (none: its own). Its problems are not
// told. A build file that is not there is Errc::not_found.
Reading read_build_file(Session& session, const std::string& file,
                        const std::vector<oci::Platform>& platforms);

// What $(git.…) stands for: what git says of the checkout, or what was recorded.
GitFacts git_facts_of(Session& session, const std::string& directory);

void tell_problems(Session& session, const std::vector<Problem>& problems);

// Reads the build file that the options name and tells its problems; Reported if one of
// them is an error.
Recipe read_recipe(Session& session, const std::vector<oci::Platform>& platforms);
Workspace open_workspace(Session& session);

// The platforms of --platform; Errc::bad_input for one that is not known.
std::vector<oci::Platform> wanted_platforms(const Options& options);

}  // namespace lithify
