// pinned: what a command with network: pinned made, held against the lock.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "oci/base/digest.h"
#include "oci/store/blob_store.h"

#include "builder/plan/step.h"
#include "builder/tree/tree.h"

namespace lithify {

// Both are called from any thread; empty ones are not called.
struct PinTools {
  // Told what a command made, while no lock says it (Run::lock_key).
  std::function<void(const std::string& lock_key, const oci::Digest& tree)> found = {};
  // The tree of this digest, if a pinned command made it once and the store still has it.
  std::function<std::optional<Tree>(const oci::Digest& tree)> made_before = {};
};

// Errc::mismatch if the lock says that the command of `step`, a Run with network: pinned,
// makes another tree than `made`: with the files that differ, where what it made before
// is known. `store` has the contents of both.
void hold_to_pin(const Step& step, const Tree& made, const oci::BlobStore& store,
                 const PinTools& tools);

}  // namespace lithify
