// session: one conversation with a launcher, from its start to its end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "oci/base/error.h"

#include "builder/sandbox/sandbox.h"

namespace lithify {

struct SandboxSession {
  SandboxOutcome outcome;
  std::vector<std::string> offers;    // of a probe
  std::optional<oci::Error> failure;  // the sandbox could not be made
};

// Starts a launcher with the plan, `flags` (WireFlag) beside the plan's own, and keeps
// company with it until all is gone. Throws Cancelled after a stop, and what `output`
// throws; failures of the launcher are in the result.
//
// Without streams the program's output and error are one pipe.
struct SessionOutput {
  SandboxOutput together = {};
  const SandboxStreams* apart = nullptr;
};
SandboxSession converse(const SandboxPlan& plan, std::uint32_t flags,
                        const SessionOutput& output, std::stop_token stop);

}  // namespace lithify
