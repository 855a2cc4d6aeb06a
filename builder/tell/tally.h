// Tally: counts how the direct children of one activity ended, and passes everything on,
// the same warning once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <set>
#include <string>

#include "oci/base/activity.h"

namespace lithify {

// Give it to the Activity whose children are counted, and to no other.
class Tally final : public oci::ProgressReporter {
 public:
  explicit Tally(oci::ProgressReporter& to) : to_(to) {}

  struct Counts {
    unsigned done = 0;
    unsigned cached = 0;
  };
  Counts counts() const;

  void started(oci::ActivityId id, oci::ActivityId parent,
               std::string_view label) noexcept override;
  void advanced(oci::ActivityId id, std::uint64_t done,
                std::uint64_t total) noexcept override;
  void output(oci::ActivityId id, std::string_view text) noexcept override;
  void warned(oci::ActivityId id, std::string_view text) noexcept override;
  void ended(oci::ActivityId id, oci::Outcome outcome) noexcept override;

 private:
  oci::ProgressReporter& to_;
  mutable std::mutex mutex_;
  oci::ActivityId root_ = 0;
  std::set<oci::ActivityId> children_;
  std::set<std::string, std::less<>> warnings_;  // steps of several platforms agree
  Counts counts_;
};

}  // namespace lithify
