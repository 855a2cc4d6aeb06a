// program: the declared program, and whoever waits for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>

#include "builder/sandbox/launcher/reader.h"

namespace lithify {

// The program's arguments and environment, as the kernel wants them.
struct Words {
  explicit Words(const PlanReader& plan);
  char* const* argv;
  char* const* env;
};

// Becomes the program; `landlock_root` is -1 above L1.
[[noreturn]] void run_program(const PlanReader& plan, int landlock_root);

// Blocks the signals that the two below wait for; call before starting the program.
int child_signals();

// Waits as the first process of a process id namespace: when this returns, the caller
// ends, and the kernel kills all that is left. `proc` is the fresh /proc or -1.
void reap_namespace(const PlanReader& plan, int program, int proc, int signals);

// The same without such a namespace: kills all that came from the program, then returns.
void reap_descendants(const PlanReader& plan, int program, int signals);

}  // namespace lithify
