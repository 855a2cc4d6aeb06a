// variation: from the names of circumstances to fields of a plan.
#include "builder/command/variation.h"

#include <sched.h>

#include "builder/sandbox/other_owners.h"

namespace lithify {

namespace {

constexpr std::int64_t k_later = 400LL * 86400;
constexpr unsigned k_skipped = 173;

unsigned processors() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(CPU_COUNT(&set));
}

bool is_possible(Varied varied, const RunStep& step, const SandboxProbe& probe) {
  switch (varied) {
    case Varied::clock:
      return step.clock == StepClock::real;
    case Varied::cpus:
      return step.limits.cpus == 0 && processors() > 1;
    case Varied::processes:
      return probe.level != SandboxLevel::chroot;
    case Varied::owners:
      return other_owners(probe).has_value();
    case Varied::caches:
      return has_cache(step);
    case Varied::directories:
    case Varied::addresses:
    case Varied::place:
      return true;
  }
  return false;
}

}  // namespace

bool has_cache(const RunStep& step) {
  for (const RunMount& mount : step.mounts) {
    if (mount.kind == RunMount::Kind::cache) return true;
  }
  return false;
}

std::string_view name_of(Varied varied) {
  switch (varied) {
    case Varied::clock:
      return "the time of day";
    case Varied::directories:
      return "the order of names in directories";
    case Varied::cpus:
      return "the number of processors";
    case Varied::addresses:
      return "addresses in memory";
    case Varied::processes:
      return "process ids";
    case Varied::owners:
      return "the machine's user ids, or numbers of inodes";
    case Varied::place:
      return "the machine's work directory";
    case Varied::caches:
      return "what is in cache mounts";
  }
  return "";
}

void Variation::change(const RunStep& step, SandboxPlan& plan) const {
  if (step.clock == StepClock::real && stopped_at_)
    plan.clock = SandboxClock{*stopped_at_ + (has(Varied::clock) ? k_later : 0), false};
  else if (step.clock == StepClock::real && has(Varied::clock))
    plan.clock = SandboxClock{k_later, true};
  if (has(Varied::directories)) plan.reversed_directories = true;
  if (has(Varied::cpus)) plan.cpus = 1;
  if (has(Varied::addresses)) plan.fixed_addresses = false;
  if (has(Varied::processes)) plan.skipped_processes = k_skipped;
}

Variation all_possible(const RunStep& step, const SandboxProbe& probe) {
  Variation all;
  for (const Varied varied : k_all_varied) {
    if (is_possible(varied, step, probe)) all.add(varied);
  }
  return all;
}

}  // namespace lithify
