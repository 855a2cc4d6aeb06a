// process: what a program sees to before it does anything else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace lithify {

// Standard streams that were closed are open from now on, so that no file of ours gets
// their numbers; reading and writing them fails, as it would have.
void hold_standard_streams();

// A reader of our output that goes away, and a file that may grow no further (`ulimit
// -f`), are errors of that write, not our death.
void survive_failing_writes();

// What one thread frees, another may use: memory grows with the work, not with threads.
void share_memory_between_threads();

// Pages that one phase of the work has freed and the next would only keep.
void give_back_memory();

}  // namespace lithify
