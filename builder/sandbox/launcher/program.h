// program: the declared program, and whoever waits for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>

#include "builder/sandbox/launcher/reader.h"

namespace lithify {

// Becomes the program; `landlock_root` is -1 above L1.
[[noreturn]] void run_program(const PlanReader& plan, int landlock_root);

// Starts the program in the room that was entered, in a new process whose id it gives.
// Its failure to start is told to the host by the child.
int start_program(const PlanReader& plan, int landlock_root);

// Blocks the signals that the two below wait for; call before start_program().
int child_signals();

// Waits as the first process of a process id namespace: when this returns, the caller
// ends, and the kernel kills all that is left. `proc` is the fresh /proc or -1.
void reap_namespace(const PlanReader& plan, int program, int proc, int signals);

// The same without such a namespace: kills all that came from the program, then returns.
void reap_descendants(const PlanReader& plan, int program, int signals);

}  // namespace lithify
