// Graph: the steps of a build in an order that works. Acyclic by construction.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "builder/plan/step.h"

namespace lithify {

class Graph {
 public:
  // Every input must already be in the graph (else Errc::internal), so add() order is a
  // valid build order and a cycle cannot be written down. Equal steps are stored once.
  StepIndex add(Step step);

  std::span<const Step> steps() const { return steps_; }
  const Step& step(StepIndex index) const { return steps_.at(index); }

 private:
  std::vector<Step> steps_;
  std::map<std::string, StepIndex> known_;  // by key document over input indexes
};

// Whether a step of it is a command.
bool runs_commands(const Graph& graph);

// The ids of the caches that a step's command mounts. No key has what they hold, so what
// comes of it may depend on more than the step's inputs.
std::set<std::string> caches_of(const Step& step);

}  // namespace lithify
