// encode: a plan as the bytes that the launcher reads.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// Bits of WireFlag beside those that the plan itself says.
struct EncodeOptions {
  std::uint32_t flags = 0;
  bool limits_held = false;  // those of memory and processes, by somebody else
};

// Looks at the sources of binds and at the root, so that the launcher finds the same
// files. Errc::bad_input: what the plan names is not there, is a symlink, holds a zero
// byte, or is too much.
std::string encode(const SandboxPlan& plan, const EncodeOptions& options);

}  // namespace lithify
