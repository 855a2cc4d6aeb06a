// recheck: once, once more otherwise, and then one circumstance after the other.
#include "builder/run/recheck.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/root/lay_out.h"
#include "builder/root/work_directory.h"
#include "builder/run/step_difference.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

using Clock = std::chrono::steady_clock;

// Times of files are the machine's, and archives keep them to two seconds.
constexpr std::chrono::milliseconds k_apart{2100};
constexpr std::size_t k_most_told = 20;

oci::Digest mark_of(const oci::Digest& key) {
  return oci::Digest::of("rebuild-check 1 " + key.str());
}

const char* cure_of(Varied varied) {
  switch (varied) {
    case Varied::clock:
      return "add `clock: epoch` to the step, or let what writes it take "
             "SOURCE_DATE_EPOCH";
    case Varied::directories:
      return "sort names before they are used: `find … | LC_ALL=C sort`, `tar "
             "--sort=name`";
    case Varied::cpus:
      return "add `limits: {cpus: 1}` to the step, or keep the number out of what is "
             "made";
    case Varied::addresses:
      return "let nothing be written that is or follows from a pointer";
    case Varied::processes:
      return "leave process ids (`$$`) out of names and contents";
    case Varied::owners:
      return "leave out numbers of inodes, and what /proc says of user ids";
    case Varied::place:
      return "leave out what /proc says of mounts";
    case Varied::caches:
      return "let what is in the cache mount make the step faster and nothing else";
  }
  return "";
}

constexpr const char* k_chance = "chance: it is another one each time";
constexpr const char* k_chance_cure =
    "give the program a seed or fixed names, or let it work in one thread";

// The step, performed in one way or another.
class Performer {
 public:
  Performer(const Step& step, const Run& run, std::span<const Tree> inputs,
            oci::BlobStore& store, const RunTools& tools)
      : step_(step), run_(run), inputs_(inputs), store_(store), tools_(tools) {}

  Tree perform(const Variation& variation, oci::Activity& activity,
               const std::stop_token& stop) const {
    RunTools tools = tools_;
    tools.vary = variation;
    if (!variation.any())
      return perform_run(step_, run_, inputs_, store_, tools, activity, stop);
    tools.keep_failed = false;
    tools.runner = SandboxRunner::own;  // others know no other clock
    // An experiment changes nothing that the user has: caches are empty in all of them.
    const WorkDirectory empty(tools_.work, remover());
    tools.caches = empty.path();
    std::optional<WorkDirectory> apart;
    if (variation.has(Varied::place)) {
      tools.work = apart.emplace(tools_.work).path() / "somewhere-else";
      tools.shared = nullptr;  // a copy of all files then, and no overlay
    }
    return perform_run(step_, run_, inputs_, store_, tools, activity, stop);
  }

  // A cache has files of whoever the command runs as.
  std::function<bool(const std::filesystem::path&)> remover() const {
    return [&tools = tools_](const std::filesystem::path& directory) {
      return remove_laid_out(directory, probe_sandbox(tools.at_most), tools.program);
    };
  }

  const Step& step() const { return step_; }
  const Run& run() const { return run_; }
  const oci::BlobStore& store() const { return store_; }
  oci::Digest key() const {
    std::vector<oci::Digest> digests;
    for (const Tree& input : inputs_)
      digests.push_back(input.digest());
    return step_key(step_, digests);
  }

 private:
  const Step& step_;
  const Run& run_;
  const std::span<const Tree> inputs_;
  oci::BlobStore& store_;
  const RunTools& tools_;
};

void wait_until(Clock::time_point when, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_until(lock, stop, when, [] { return false; });
  if (stop.stop_requested()) throw oci::Cancelled();
}

// Finds what the bytes do not tell, by experiment: the clock stands still in all of them,
// so that what differs without any variation is chance.
class Experiments {
 public:
  Experiments(const Performer& performer, const Variation& possible,
              std::vector<StepDifference>& differences, oci::Activity& activity,
              std::stop_token stop)
      : performer_(performer),
        possible_(possible),
        differences_(differences),
        activity_(activity),
        stop_(std::move(stop)) {}

  // `first` is what the step made when nothing was varied.
  void run(const Tree& first) {
    if (all_explained()) return;
    const std::optional<Tree> plain = attempt(still());
    if (!plain) return;
    wait_until(Clock::now() + k_apart, stop_);
    explain(*plain, still(), k_chance, k_chance_cure);
    for (const Varied varied : k_all_varied) {
      if (all_explained()) return;
      if (!possible_.has(varied) || varied == Varied::caches) continue;
      explain(*plain, still().add(varied), varied);
    }
    if (all_explained()) return;
    // Some do one thing today and another at any other time.
    if (possible_.has(Varied::clock))
      explain(*plain, Variation().stop_clock(std::time(nullptr)), Varied::clock);
    // What is left is of the caches, which were empty in every experiment.
    if (possible_.has(Varied::caches)) explain(*plain, first, Varied::caches);
  }

 private:
  Variation still() const { return Variation().stop_clock(performer_.run().epoch); }

  bool all_explained() const {
    return std::all_of(differences_.begin(), differences_.end(),
                       [](const StepDifference& one) { return !one.cause.empty(); });
  }

  std::optional<Tree> attempt(const Variation& variation) {
    try {
      return performer_.perform(variation, activity_, stop_);
    } catch (const Error& error) {
      if (error.code() != Errc::failed) throw;
      return std::nullopt;
    }
  }

  void explain(const Tree& plain, const Variation& variation, Varied varied) {
    explain(plain, variation, std::string(name_of(varied)), cure_of(varied));
  }

  void explain(const Tree& plain, const Variation& variation, const std::string& cause,
               const char* cure) {
    if (const auto other = attempt(variation)) explain(plain, *other, cause, cure);
  }

  void explain(const Tree& plain, const Tree& other, Varied varied) {
    explain(plain, other, std::string(name_of(varied)), cure_of(varied));
  }

  void explain(const Tree& plain, const Tree& other, const std::string& cause,
               const char* cure) {
    for (const StepDifference& found :
         differences_between(plain, other, performer_.store())) {
      for (StepDifference& known : differences_) {
        if (!known.cause.empty() || !is_same(known, found)) continue;
        known.cause = cause;
        known.cure = found.cause == cause && !found.cure.empty() ? found.cure : cure;
      }
    }
  }

  // Names that are others each time are others in an experiment.
  static bool is_same(const StepDifference& known, const StepDifference& found) {
    if (known.path == found.path) return true;
    const auto is_name = [](const StepDifference& one) {
      return one.in != StepDifference::In::both;
    };
    return is_name(known) && is_name(found) &&
           parent_of(known.path) == parent_of(found.path);
  }

  const Performer& performer_;
  const Variation possible_;
  std::vector<StepDifference>& differences_;
  oci::Activity& activity_;
  const std::stop_token stop_;
};

std::string line_of(const StepDifference& one) {
  const std::string what = one.in == StepDifference::In::both ? one.what + " differs"
                           : one.in == StepDifference::In::first
                               ? "it is there only the first time"
                               : "it is there only the second time";
  std::string line = fmt::format("/{}: {}", one.path, what);
  line += one.cause.empty() ? ", only when several circumstances are others"
                            : "; cause: " + one.cause;
  if (!one.evidence.empty()) line += " (" + one.evidence + ")";
  return line;
}

Error not_reproducible(const Step& step, const std::vector<StepDifference>& differences) {
  Error error(Errc::mismatch,
              fmt::format("`{}` is not reproducible: {} {} between two runs of it",
                          step.label, differences.size(),
                          differences.size() == 1 ? "file differs" : "files differ"));
  std::vector<std::pair<std::string, std::string>> cures;  // and for what
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const StepDifference& one = differences[i];
    if (i < k_most_told) error.add_note(line_of(one));
    std::string cure = one.cure;
    if (cure.empty() && one.cause == name_of(Varied::clock))
      cure = cure_of(Varied::clock);
    if (cure.empty()) cure = "exclude the file, or make it in another way";
    const std::pair entry(one.cause, cure);
    if (std::find(cures.begin(), cures.end(), entry) == cures.end())
      cures.push_back(entry);
  }
  if (differences.size() > k_most_told)
    error.add_note(fmt::format("and {} more", differences.size() - k_most_told));
  for (std::size_t i = 1; i < cures.size(); ++i) {
    const auto& [cause, cure] = cures[i];
    error.add_note(cause.empty() ? "else: " + cure
                                 : fmt::format("against {}: {}",
                                               cause.substr(0, cause.find(':')), cure));
  }
  return error.add_hint(cures.front().second);
}

// The step succeeded, and fails where something else is another thing.
Error fails_otherwise(const Performer& performer, const Variation& possible,
                      const Error& failure, oci::Activity& activity,
                      const std::stop_token& stop) {
  Error error(Errc::mismatch,
              fmt::format("`{}` is not reproducible: it fails when it is run once more",
                          performer.step().label));
  // Caches first: they are empty whatever is varied.
  std::vector<Varied> varieties(k_all_varied.begin(), k_all_varied.end());
  std::rotate(varieties.begin(), varieties.end() - 1, varieties.end());
  for (const Varied varied : varieties) {
    if (!possible.has(varied)) continue;
    try {
      performer.perform(Variation().add(varied), activity, stop);
    } catch (const Error& again) {
      if (again.code() != Errc::failed) throw;
      error.add_note(fmt::format("cause: {}", name_of(varied)));
      error.add_hint(cure_of(varied));
      break;
    }
  }
  for (const std::string& note : failure.notes())
    error.add_note(note);
  return error;
}

}  // namespace

Rechecks::Demand Rechecks::demand(const Step& step) const {
  const auto* run = std::get_if<Run>(&step.operation);
  if (run == nullptr || run->what.network == Network::pinned) return Demand::none;
  return demands_(step);
}

void Rechecks::know(const oci::Digest& key, const Tree& result) {
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(key, result);
}

std::optional<Tree> Rechecks::known(const oci::Digest& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void Rechecks::checked(const Variation& varied) {
  ++count_;
  const std::lock_guard lock(mutex_);
  for (const Varied one : k_all_varied) {
    if (!varied.has(one)) not_varied_.insert(one);
  }
}

std::set<Varied> Rechecks::not_varied() const {
  const std::lock_guard lock(mutex_);
  return not_varied_;
}

std::optional<Tree> RecheckCache::find(const oci::Digest& key, const Step& step) {
  const Rechecks::Demand demand = rechecks_.demand(step);
  std::optional<Tree> found = own_->find(key, step);
  if (!found || demand == Rechecks::Demand::none) return found;
  if (demand == Rechecks::Demand::once && own_->knows(mark_of(key))) return found;
  rechecks_.know(key, *found);
  return std::nullopt;
}

void RecheckCache::remember(const oci::Digest& key, const Step& step,
                            const Tree& result) {
  own_->remember(key, step, result);
  if (rechecks_.demand(step) != Rechecks::Demand::none) own_->note(mark_of(key));
}

Tree perform_checked(const Step& step, const Run& run, std::span<const Tree> inputs,
                     oci::BlobStore& store, const RunTools& tools, Rechecks& rechecks,
                     oci::Activity& activity, std::stop_token stop) {
  const Performer performer(step, run, inputs, store, tools);
  const Clock::time_point start = Clock::now();
  std::optional<Tree> first = rechecks.known(performer.key());
  if (!first) {
    first = performer.perform({}, activity, stop);
    wait_until(start + k_apart, stop);
  }
  const Variation all = all_possible(run.what, probe_sandbox(tools.at_most));
  std::optional<Tree> second;
  try {
    second = performer.perform(all, activity, stop);
  } catch (const Error& error) {
    if (error.code() != Errc::failed) throw;
    throw fails_otherwise(performer, all, error, activity, stop);
  }
  std::vector<StepDifference> differences = differences_between(*first, *second, store);
  if (!differences.empty()) {
    Experiments(performer, all, differences, activity, stop).run(*first);
    throw not_reproducible(step, differences);
  }
  rechecks.checked(all);
  return *first;
}

}  // namespace lithify
