// Executor and StepCache: the two seams of a build. Here, elsewhere, or remembered.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
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
  // same inputs must give the same tree. Safe to call from several threads.
  virtual Tree execute(const Step& step, std::span<Tree> inputs, oci::Activity& activity,
                       std::stop_token stop) = 0;
};

class StepCache {
 public:
  virtual ~StepCache() = default;
  virtual std::optional<Tree> find(const oci::Digest& key) = 0;  // a miss is not an error
  virtual void remember(const oci::Digest& key, const Tree& result) = 0;
};

}  // namespace lithify
