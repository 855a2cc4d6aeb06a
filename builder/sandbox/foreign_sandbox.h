// foreign_sandbox: a plan carried out by bubblewrap, crun or runc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// Whose sandbox runs a program. The others are judges of ours, and a choice where a site
// trusts nothing else.
enum class SandboxRunner { own, bwrap, crun, runc };
std::string_view runner_name(SandboxRunner runner);
std::optional<SandboxRunner> parse_runner(std::string_view name);

// What that sandbox lets us do here, for whoever lays out roots for it: for our own it is
// probe_sandbox(at_most). The others are not tried. Any thread.
const SandboxProbe& probe_runner(SandboxRunner runner, SandboxLevel at_most);

// As run_sandbox(), with these differences: `box` is an empty directory of ours for what
// the program needs while it runs; a program that a signal ended has the exit status
// 128 + its number; what is made of mount points is not told; of limits the wall time
// holds, and with OCI runtimes those of a process. Errc::machine if the program is not
// installed.
SandboxOutcome run_foreign(SandboxRunner runner, const SandboxPlan& plan,
                           const std::filesystem::path& box, const SandboxOutput& output,
                           std::stop_token stop);
// The same with the two streams apart.
SandboxOutcome run_foreign(SandboxRunner runner, const SandboxPlan& plan,
                           const std::filesystem::path& box,
                           const SandboxStreams& streams, std::stop_token stop);

}  // namespace lithify
