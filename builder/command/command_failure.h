// command_failure: how a command ended, and what helps if that was no success.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "oci/base/error.h"

#include "builder/command/step_log.h"
#include "builder/plan/recipe.h"
#include "builder/sandbox/sandbox.h"

namespace lithify {

bool succeeded(const SandboxOutcome& outcome);

// "ended with exit status 3", "was stopped after 10 seconds": what follows its name.
std::string how_it_ended(const RunStep& what, const SandboxOutcome& outcome);

struct CommandFailure {
  const std::string& label;  // of the step
  const RunStep& what;
  const SandboxOutcome& outcome;
  const StepLog& log;  // ended
  const SandboxProbe& sandbox;
  bool overlay;                       // under the root
  const std::filesystem::path& work;  // where roots are on the disk
};

// Errc::failed, with the last lines, the place of all of them, and a hint where what was
// written tells of something that can be typed.
oci::Error failure_of(const CommandFailure& failure);

}  // namespace lithify
