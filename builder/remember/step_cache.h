// StepCache: the seam of a build where steps are remembered instead of performed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "oci/base/digest.h"

#include "builder/plan/step.h"
#include "builder/tree/tree.h"

namespace lithify {

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
