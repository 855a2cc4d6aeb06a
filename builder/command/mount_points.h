// mount_points: where other people's sandboxes mount things, made beforehand.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// Makes what the plan's root lacks: /dev, /proc, /sys and the targets of its mounts.
// Returns what was made, parents first, as SandboxOutcome::made has it: a sandbox that is
// not ours would make it too and not say so. What lies behind a symlink is left to it.
std::vector<std::string> make_mount_points(const std::filesystem::path& root,
                                           const SandboxPlan& plan);

}  // namespace lithify
