// Executor: the seam of a build where steps are performed, here or elsewhere.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <stop_token>

#include "oci/base/activity.h"

#include "builder/plan/step.h"
#include "builder/tree/tree.h"

namespace lithify {

class Executor {
 public:
  virtual ~Executor() = default;
  // Performs the step on its inputs' trees, which it may use up. The same step on the
  // same inputs must give the same tree. Ends `activity` as cached where there was
  // nothing to do; else whoever calls ends it. Safe to call from several threads.
  virtual Tree execute(const Step& step, std::span<Tree> inputs, oci::Activity& activity,
                       std::stop_token stop) = 0;
};

}  // namespace lithify
