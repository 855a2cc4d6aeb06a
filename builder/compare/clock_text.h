// clock_text: whether what differs is a time that somebody wrote down.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lithify {

struct ClockText {
  std::string first;  // "2026-11-26 20:01:14", "1795723274"
  std::string second;
};

// `before` is the same in both; `first` and `second` begin with what differs. Both must
// be the same kind of time, in years from 1970 to 2100, and the place where they part in
// it: dates and times of day in usual spellings, seconds and parts of seconds since 1970.
std::optional<ClockText> clock_text(std::string_view before, std::string_view first,
                                    std::string_view second);

// A time in the header of a binary file that begins with `head`: what it is called.
// empty: none that is known stands at `offset`.
std::string clock_field(std::string_view head, std::uint64_t offset);

}  // namespace lithify
