// ActivityBook: which activities run, since when and how far; what reporters draw from.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/activity.h"

namespace lithify {

using Milliseconds = std::chrono::milliseconds;

struct RunningActivity {
  oci::ActivityId id = 0;
  oci::ActivityId parent = 0;
  int depth = 0;      // 0: a phase of the command
  std::string label;  // made visible
  Milliseconds since{0};
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  int children = 0;  // running now
  // Of those that have ended below it.
  unsigned ended = 0;
  unsigned cached = 0;
};

// Not synchronised; each reporter has a mutex of its own.
class ActivityBook {
 public:
  const RunningActivity& start(oci::ActivityId id, oci::ActivityId parent,
                               std::string_view label, Milliseconds now);
  void advance(oci::ActivityId id, std::uint64_t done, std::uint64_t total);
  // What is known about it, taken out of the book; nullopt for one that never started.
  std::optional<RunningActivity> end(oci::ActivityId id, oci::Outcome outcome);

  const std::map<oci::ActivityId, RunningActivity>& running() const { return running_; }

 private:
  std::map<oci::ActivityId, RunningActivity> running_;
};

// "0.3s", "12s", "2:04".
std::string human_duration(Milliseconds time);

// "12 MB of 40 MB", "12 of 62", or nothing where nothing is known.
std::string human_advance(const RunningActivity& activity);

}  // namespace lithify
