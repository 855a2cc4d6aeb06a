// recheck: commands performed once more, where all that they must not depend on is
// another thing, and the results compared.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>

#include "oci/base/activity.h"
#include "oci/store/blob_store.h"

#include "builder/command/run_step.h"
#include "builder/command/variation.h"
#include "builder/plan/step.h"
#include "builder/remember/step_cache.h"
#include "builder/tree/tree.h"

namespace lithify {

// Which steps are to be checked, what is known of them, and what came of it. Any thread.
class Rechecks {
 public:
  enum class Demand {
    none,
    once,   // unless the result that is remembered was checked already
    again,  // also what is remembered
  };
  using Demands = std::function<Demand(const Step&)>;
  explicit Rechecks(Demands demands) : demands_(std::move(demands)) {}

  // none for what is no command, and for one that may use the network: the lock's pin is
  // what its result is compared with.
  Demand demand(const Step& step) const;

  // The result of the step of this key that a cache had.
  void know(const oci::Digest& key, const Tree& result);
  std::optional<Tree> known(const oci::Digest& key) const;

  void checked(const Variation& not_varied);
  unsigned count() const { return count_; }
  // What could not be varied for some step, as name_of().
  std::set<Varied> not_varied() const;

 private:
  const Demands demands_;
  mutable std::mutex mutex_;
  std::map<oci::Digest, Tree> known_;
  std::set<Varied> not_varied_;
  std::atomic<unsigned> count_ = 0;
};

// Keeps results of steps that are to be checked from the scheduler, so that they are
// performed, and remembers which ones were found to be reproducible.
class RecheckCache final : public StepCache {
 public:
  // `rechecks` outlives it.
  RecheckCache(std::unique_ptr<StepCache> own, Rechecks& rechecks)
      : own_(std::move(own)), rechecks_(rechecks) {}

  std::optional<Tree> find(const oci::Digest& key, const Step& step) override;
  void remember(const oci::Digest& key, const Step& step, const Tree& result) override;
  void note(const oci::Digest& key) override { own_->note(key); }
  bool knows(const oci::Digest& key) override { return own_->knows(key); }

 private:
  const std::unique_ptr<StepCache> own_;
  Rechecks& rechecks_;
};

// As perform_run(), twice, or once and compared with the result that is known. If the
// results differ it is Errc::mismatch with each file, the cause and the cure: what the
// bytes do not tell is found by performing the step again, with one thing varied at a
// time. So it is if the step fails the second time.
Tree perform_checked(const Step& step, const Run& run, std::span<const Tree> inputs,
                     oci::BlobStore& store, const RunTools& tools, Rechecks& rechecks,
                     oci::Activity& activity, std::stop_token stop);

}  // namespace lithify
