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
  // same inputs must give the same tree. Ends `activity` as cached where there was
  // nothing to do; else whoever calls ends it. Safe to call from several threads.
  virtual Tree execute(const Step& step, std::span<Tree> inputs, oci::Activity& activity,
                       std::stop_token stop) = 0;
};

class StepCache {
 public:
  virtual ~StepCache() = default;
  // What the key names is the result; the step tells whether it is worth the asking, and
  // is named in messages. A miss is not an error. Safe to call from several threads.
  virtual std::optional<Tree> find(const oci::Digest& key, const Step& step) = 0;
  virtual void remember(const oci::Digest& key, const Step& step, const Tree& result) = 0;
  // Trees with files of the user's are not kept, but that the step was performed is: it
  // costs next to nothing to perform it again, and it tells that nothing changed.
  virtual void note(const oci::Digest& key) = 0;
  virtual bool knows(const oci::Digest& key) = 0;  // note() was called for it
};

}  // namespace lithify
