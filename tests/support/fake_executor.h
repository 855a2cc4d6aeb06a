// FakeExecutor: steps that take no time and give the trees a test wants.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "builder/remember/step_cache.h"
#include "builder/run/executor.h"

namespace lithify::testing {

// Gives what `results` has under the step's label; remembers which labels ran.
class FakeExecutor final : public Executor {
 public:
  using Result = std::function<Tree(std::span<const Tree> inputs, std::stop_token stop)>;

  void on(const std::string& label, Result result) {
    results_[label] = std::move(result);
  }

  Tree execute(const Step& step, std::span<Tree> inputs, oci::Activity&,
               std::stop_token stop) override {
    {
      const std::lock_guard lock(mutex_);
      ran_.push_back(step.label);
    }
    return results_.at(step.label)(inputs, std::move(stop));
  }

  std::vector<std::string> ran() const {
    const std::lock_guard lock(mutex_);
    return ran_;
  }

 private:
  std::map<std::string, Result> results_;
  mutable std::mutex mutex_;
  std::vector<std::string> ran_;
};

// Remembers in memory.
class MemoryStepCache final : public StepCache {
 public:
  std::optional<Tree> find(const oci::Digest& key, const Step&) override {
    const std::lock_guard lock(mutex_);
    const auto found = trees_.find(key);
    return found == trees_.end() ? std::nullopt : std::optional(found->second);
  }
  void remember(const oci::Digest& key, const Step&, const Tree& result) override {
    const std::lock_guard lock(mutex_);
    trees_.insert_or_assign(key, result);
  }
  void note(const oci::Digest& key) override {
    const std::lock_guard lock(mutex_);
    noted_.insert(key);
  }
  bool knows(const oci::Digest& key) override {
    const std::lock_guard lock(mutex_);
    return noted_.count(key) != 0;
  }
  std::size_t size() const { return trees_.size(); }

 private:
  std::mutex mutex_;
  std::map<oci::Digest, Tree> trees_;
  std::set<oci::Digest> noted_;
};

}  // namespace lithify::testing
