// Scheduler: the steps of a graph on a bounded number of threads, each when its inputs
// are there, and only if it is needed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "builder/plan/graph.h"
#include "builder/remember/step_cache.h"
#include "builder/run/executor.h"

namespace lithify {

// The trees of all steps, in the order of the graph. A step is asked of `cache` by its
// key, and executed if it is not there. What holds files of the user's, and every Import,
// is executed each time and never remembered; it counts as cached if it gives what it
// gave before.
//
// An Import is large and nothing but an input, so its tree is given up, for an empty one,
// when the last step that reads it is done.
//
// What a Fetch gives is known from its lock entry, so it is executed only when a step
// that was not remembered wants it, or when nothing has it as an input.
//
// A failing step stops the steps after it in the graph; those before it are finished, so
// that the error thrown is that of the lowest failing step, whatever the timing. It
// carries the step's place. Throws Cancelled when `stop` is requested.
std::vector<Tree> run_graph(const Graph& graph, Executor& executor, StepCache& cache,
                            unsigned jobs, oci::Activity& activity, std::stop_token stop);

}  // namespace lithify
