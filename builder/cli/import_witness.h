// ImportWitness: passes steps on, and remembers what local sources were when they were
// read: their trees are given up before the build is done.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "builder/plan/step.h"
#include "builder/run/executor.h"

namespace lithify {

// Safe to share between threads.
class ImportRecord {
 public:
  void add(const Step& step, const oci::Digest& tree) {
    const std::lock_guard lock(mutex_);
    trees_.insert_or_assign(key_document(step, {}), tree);
  }
  // The tree that the step, which is an Import, gave last; nullopt: it was not performed.
  std::optional<oci::Digest> tree_of(const Step& step) const {
    const std::lock_guard lock(mutex_);
    const auto found = trees_.find(key_document(step, {}));
    return found != trees_.end() ? std::optional(found->second) : std::nullopt;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, oci::Digest> trees_;  // by what is imported
};

class ImportWitness final : public Executor {
 public:
  // `record` outlives it.
  ImportWitness(std::unique_ptr<Executor> executor, ImportRecord& record)
      : executor_(std::move(executor)), record_(record) {}

  Tree execute(const Step& step, std::span<Tree> inputs, oci::Activity& activity,
               std::stop_token stop) override {
    Tree tree = executor_->execute(step, inputs, activity, std::move(stop));
    // The key of what reads it needs the digest, too, so it costs nothing.
    if (std::holds_alternative<Import>(step.operation)) record_.add(step, tree.digest());
    return tree;
  }

 private:
  std::unique_ptr<Executor> executor_;
  ImportRecord& record_;
};

}  // namespace lithify
