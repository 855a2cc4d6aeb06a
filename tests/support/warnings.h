// Warnings: a reporter that keeps what was warned of and forgets the rest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/base/activity.h"

namespace lithify::testing {

struct Warnings final : oci::ProgressReporter {
  void started(oci::ActivityId, oci::ActivityId, std::string_view) noexcept override {}
  void advanced(oci::ActivityId, std::uint64_t, std::uint64_t) noexcept override {}
  void output(oci::ActivityId, std::string_view) noexcept override {}
  void warned(oci::ActivityId, std::string_view text) noexcept override {
    all.emplace_back(text);
  }
  void ended(oci::ActivityId, oci::Outcome) noexcept override {}

  std::vector<std::string> all;
};

}  // namespace lithify::testing
