// debian_version: the order of Debian version numbers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string_view>

namespace lithify {

// Debian Policy 5.6.12: epoch, upstream version, revision; '~' sorts before the end.
// Total over any two strings, so that no input can break an ordering: a missing epoch or
// revision counts as 0.
std::strong_ordering compare_versions(std::string_view a, std::string_view b);

}  // namespace lithify
