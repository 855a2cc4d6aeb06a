// Variation: what a command's result must not depend on, made another thing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/plan/recipe.h"
#include "builder/sandbox/sandbox.h"

namespace lithify {

enum class Varied : unsigned {
  clock,        // the time of day, 400 days later
  directories,  // names in the other order
  cpus,         // one processor
  addresses,    // of memory, random
  processes,    // other ids
  owners,       // other ids of the machine's behind those of the sandbox
  place,        // another directory of the machine's
  caches,       // cache mounts are empty
};
inline constexpr std::array k_all_varied = {
    Varied::clock,     Varied::directories, Varied::cpus,  Varied::addresses,
    Varied::processes, Varied::owners,      Varied::place, Varied::caches};

// "the time of day", as in "depends on the time of day".
std::string_view name_of(Varied varied);

class Variation {
 public:
  bool has(Varied varied) const { return (bits_ >> static_cast<unsigned>(varied)) & 1U; }
  bool any() const { return bits_ != 0 || stopped_at_.has_value(); }
  Variation& add(Varied varied) {
    bits_ |= 1U << static_cast<unsigned>(varied);
    return *this;
  }
  // The clock stands still here, for steps that see the real one: two performances that
  // differ in nothing but chance.
  Variation& stop_clock(std::int64_t seconds) {
    stopped_at_ = seconds;
    return *this;
  }

  // Changes the plan of a step's command; owner map, work directory and caches are for
  // whoever makes those.
  void change(const RunStep& step, SandboxPlan& plan) const;

 private:
  unsigned bits_ = 0;
  std::optional<std::int64_t> stopped_at_;
};

// Whether the step mounts a cache.
bool has_cache(const RunStep& step);

// What can be another thing for this step, in this sandbox.
Variation all_possible(const RunStep& step, const SandboxProbe& probe);

}  // namespace lithify
