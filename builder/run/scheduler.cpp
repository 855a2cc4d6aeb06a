#include "builder/run/scheduler.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "oci/base/error.h"

#include "builder/run/fetched_tree.h"

namespace lithify {

namespace {

using oci::Errc;
using oci::Error;
using oci::Outcome;

// Who waits for whom. Pure: no threads, no trees.
class Readiness {
 public:
  explicit Readiness(std::span<const Step> steps)
      : steps_(steps),
        waits_(steps.size()),
        inputs_(steps.size()),
        users_(steps.size()),
        asked_(steps.size()),
        readers_(steps.size()) {
    for (StepIndex i = 0; i < steps.size(); ++i) {
      inputs_[i].insert(steps[i].inputs.begin(), steps[i].inputs.end());
      for (const StepIndex input : inputs_[i])
        users_[input].push_back(i);
    }
    for (StepIndex i = 0; i < steps.size(); ++i)
      readers_[i] = users_[i].size();
    for (StepIndex i = 0; i < steps.size(); ++i) {
      if (is_fetch(i)) {
        if (users_[i].empty()) want(i);
        continue;
      }
      for (const StepIndex input : inputs_[i])
        waits_[i] += is_fetch(input) ? 0 : 1;
      if (waits_[i] == 0) ready_.insert(i);
    }
  }

  bool is_fetch(StepIndex i) const {
    return std::holds_alternative<Fetch>(steps_[i].operation);
  }

  // The lowest step that can go on now, below `limit`.
  std::optional<StepIndex> take(StepIndex limit) {
    if (ready_.empty() || *ready_.begin() >= limit) return std::nullopt;
    const StepIndex first = *ready_.begin();
    ready_.erase(ready_.begin());
    return first;
  }

  // How many steps could go on now, if none had failed.
  std::size_t ready() const { return ready_.size(); }

  // The inputs that nobody will read any more.
  std::vector<StepIndex> done(StepIndex i) {
    done_.insert(i);
    for (const StepIndex user : users_[i]) {
      // Users of a Fetch wait for it only from the moment they have asked for it.
      if (is_fetch(i) && !asked_[user]) continue;
      if (--waits_[user] == 0) ready_.insert(user);
    }
    std::vector<StepIndex> over;
    for (const StepIndex input : inputs_[i]) {
      if (--readers_[input] == 0) over.push_back(input);
    }
    return over;
  }

  // Step `i` was not remembered. True if its inputs are all there; if not, it is ready
  // again when they are.
  bool ask_inputs(StepIndex i) {
    asked_[i] = true;
    for (const StepIndex input : inputs_[i]) {
      if (!is_fetch(input) || done_.count(input) != 0) continue;
      want(input);
      ++waits_[i];
    }
    return waits_[i] == 0;
  }
  bool has_asked(StepIndex i) const { return asked_[i]; }
  // Whether a step that is not done is the only such one to read `input`.
  bool is_last_reader_of(StepIndex input) const { return readers_[input] == 1; }

 private:
  void want(StepIndex fetch) {
    if (wanted_.insert(fetch).second) ready_.insert(fetch);
  }

  std::span<const Step> steps_;
  std::vector<std::size_t> waits_;
  std::vector<std::set<StepIndex>> inputs_;  // without repetitions
  std::vector<std::vector<StepIndex>> users_;
  std::vector<bool> asked_;
  std::vector<std::size_t> readers_;  // users that are not done
  std::set<StepIndex> ready_;
  std::set<StepIndex> wanted_;
  std::set<StepIndex> done_;
};

class GraphRun {
 public:
  GraphRun(const Graph& graph, Executor& executor, StepCache& cache,
           oci::Activity& activity, std::stop_token stop)
      : steps_(graph.steps()),
        executor_(executor),
        cache_(cache),
        activity_(activity),
        outside_(std::move(stop)),
        readiness_(steps_),
        results_(steps_.size()),
        stops_(steps_.size()),
        failed_at_(steps_.size()) {
    for (StepIndex i = 0; i < steps_.size(); ++i) {
      if (const auto* fetch = std::get_if<Fetch>(&steps_[i].operation))
        results_[i] = fetched_tree(*fetch);
    }
  }

  std::vector<Tree> run(unsigned jobs) {
    {
      const std::stop_callback on_stop(outside_, [this] { stop_all(); });
      std::vector<std::jthread> threads;
      const std::size_t count =
          std::clamp<std::size_t>(steps_.size(), 1, std::max(1U, jobs));
      try {
        while (threads.size() < count)
          threads.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        if (threads.empty()) throw;  // else those there are will do
      }
    }
    if (outside_.stop_requested()) throw oci::Cancelled();
    if (failed_at_ < steps_.size()) throw_failure();
    std::vector<Tree> trees;
    for (auto& result : results_)
      trees.push_back(std::move(result).value());
    return trees;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (outside_.stop_requested()) break;
      const auto next = readiness_.take(failed_at_);
      if (!next) {
        if (running_ == 0) break;
        changed_.wait(lock);
        continue;
      }
      ++running_;
      const bool asked = readiness_.has_asked(*next);
      lock.unlock();
      attempt(*next, asked);
      lock.lock();
      --running_;
      // This thread takes the first itself: a chain of steps wakes nobody.
      if (readiness_.ready() > 1) changed_.notify_all();
    }
    changed_.notify_all();
  }

  // One turn of a step: from the cache, or executed, or put back to wait for its inputs.
  void attempt(StepIndex i, bool asked) {
    try {
      if (!asked && !readiness_.is_fetch(i) && !is_import(i)) {
        if (!is_unpinned(i)) {
          if (auto known = cache_.find(key_of(i), steps_[i])) {
            oci::Activity step = start(i);
            step.end(Outcome::cached);
            finish(i, std::move(*known));
            return;
          }
        }
        const std::lock_guard lock(mutex_);
        if (!readiness_.ask_inputs(i)) return;
      }
      finish(i, perform(i));
    } catch (Error& e) {
      e.at(steps_[i].place);
      fail(i, std::current_exception());
    } catch (...) {
      fail(i, std::current_exception());
    }
  }

  Tree perform(StepIndex i) {
    const bool keyed = !readiness_.is_fetch(i) && !is_import(i);
    auto key = keyed ? std::optional(key_of(i)) : std::nullopt;
    std::vector<Tree> inputs = inputs_of(i);
    oci::Activity step = start(i);
    Tree tree = executor_.execute(steps_[i], inputs, step, stops_[i].get_token());
    if (readiness_.is_fetch(i)) {
      if (tree.digest() != results_[i]->digest()) {
        throw Error(Errc::internal, "a fetch gave another tree than its lock entry says");
      }
    } else if (key) {
      if (is_unpinned(i)) key = key_once_pinned(i, tree.digest());
      remember(i, *key, tree, step);
    }
    if (step.outcome() != Outcome::cached) step.end(Outcome::done);
    return tree;
  }

  // An import goes to its last reader for good, who need not copy it to change it.
  std::vector<Tree> inputs_of(StepIndex i) {
    const std::lock_guard lock(mutex_);
    std::vector<Tree> inputs;
    for (const StepIndex input : steps_[i].inputs)
      inputs.push_back(*results_[input]);
    for (const StepIndex input : steps_[i].inputs) {
      if (is_import(input) && readiness_.is_last_reader_of(input))
        results_[input] = Tree();
    }
    return inputs;
  }

  void remember(StepIndex i, const oci::Digest& key, const Tree& tree,
                oci::Activity& step) {
    if (!tree.has_local_files()) return cache_.remember(key, steps_[i], tree);
    if (cache_.knows(key)) return step.end(Outcome::cached);
    cache_.note(key);
  }

  oci::Digest key_of(StepIndex i) const { return step_key(steps_[i], inputs_named(i)); }

  // The world may give something else each time until the lock says what it must give.
  bool is_unpinned(StepIndex i) const {
    const auto* run = std::get_if<Run>(&steps_[i].operation);
    return run != nullptr && run->what.network == Network::pinned && !run->pinned;
  }

  // What the step is called when the lock knows its result.
  oci::Digest key_once_pinned(StepIndex i, const oci::Digest& result) const {
    Step pinned = steps_[i];
    std::get<Run>(pinned.operation).pinned = result;
    return step_key(pinned, inputs_named(i));
  }

  std::vector<oci::Digest> inputs_named(StepIndex i) const {
    std::vector<oci::Digest> digests;
    for (const StepIndex input : steps_[i].inputs)
      digests.push_back(results_[input]->digest());
    return digests;
  }

  void finish(StepIndex i, Tree tree) {
    const std::lock_guard lock(mutex_);
    // A fetch's tree is read by others while it is performed; it is there already.
    if (!readiness_.is_fetch(i)) results_[i] = std::move(tree);
    for (const StepIndex input : readiness_.done(i)) {
      if (is_import(input)) results_[input] = Tree();
    }
  }

  // Later steps are cancelled by the failure of an earlier one, or fail by themselves.
  void fail(StepIndex i, std::exception_ptr why) {
    const std::lock_guard lock(mutex_);
    failures_.emplace(i, std::move(why));
    if (i >= failed_at_) return;
    failed_at_ = i;
    for (StepIndex later = i + 1; later < stops_.size(); ++later)
      stops_[later].request_stop();
  }

  // The first in the order of steps, which always is the same one. Those that had failed
  // before it did are told beside it.
  [[noreturn]] void throw_failure() {
    std::vector<std::string> others;
    for (const auto& [i, failure] : failures_) {
      if (i == failed_at_) continue;
      try {
        std::rethrow_exception(failure);
      } catch (const Error& error) {
        others.push_back(std::string("also: ") + error.what());
        for (const std::string& note : error.notes()) {
          if (note.find('\n') == note.npos) others.back() += "; " + note;
        }
      } catch (...) {
        // Cancelled, as a rule.
      }
    }
    try {
      std::rethrow_exception(failures_.at(failed_at_));
    } catch (Error& error) {
      for (const std::string& other : others)
        error.add_note(other);
      throw;
    }
  }

  void stop_all() {
    for (auto& stop : stops_)
      stop.request_stop();
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  bool is_import(StepIndex i) const {
    return std::holds_alternative<Import>(steps_[i].operation);
  }

  // Activities have one thread each; starting a child is the parent's act.
  oci::Activity start(StepIndex i) {
    const std::lock_guard lock(activity_mutex_);
    return activity_.start(steps_[i].label);
  }

  std::span<const Step> steps_;
  Executor& executor_;
  StepCache& cache_;
  oci::Activity& activity_;
  std::stop_token outside_;

  std::mutex activity_mutex_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Readiness readiness_;
  // Set once, before a step that reads it becomes ready.
  std::vector<std::optional<Tree>> results_;
  std::vector<std::stop_source> stops_;
  std::size_t running_ = 0;
  StepIndex failed_at_;  // the lowest failing step; the number of steps: none
  std::map<StepIndex, std::exception_ptr> failures_;
};

}  // namespace

std::vector<Tree> run_graph(const Graph& graph, Executor& executor, StepCache& cache,
                            unsigned jobs, oci::Activity& activity,
                            std::stop_token stop) {
  return GraphRun(graph, executor, cache, activity, std::move(stop)).run(jobs);
}

}  // namespace lithify
