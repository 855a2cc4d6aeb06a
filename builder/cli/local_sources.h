// local_sources: what a build file takes from the disks of this machine.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "builder/plan/recipe.h"

namespace lithify {

// Directories, files, archives and layouts that the named images (all of them for none)
// need and that are not there; each error stands at its source.
std::vector<oci::Error> missing_sources(const Recipe& recipe,
                                        const std::vector<std::string>& images);

// Takes local sources from where `places` says, by their names, and refuses with Errc::
// bad_input those that lie outside of `confined_to`, symlinks followed, if it is not
// empty: the build file is a stranger's then, and must not read what is beside it.
void put_in_place(Recipe& recipe,
                  const std::map<std::string, std::filesystem::path>& places,
                  const std::filesystem::path& confined_to);

// Leaves these files and directories, and directories that hold nothing else, out of the
// local sources that they lie in: a build that read its own results would give something
// else each time. The paths are absolute.
void leave_out(Recipe& recipe, const std::vector<std::filesystem::path>& paths);

}  // namespace lithify
