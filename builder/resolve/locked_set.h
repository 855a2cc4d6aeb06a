// locked_set: how the members of a set name the packages of a lock, there and back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/plan/lock.h"

namespace lithify {

// The key of the source that the set's packages come from.
std::string_view source_of(const LockedSet& set);

// The packages that `set` names. A member without an architecture means `architecture` or
// "all"; one without a version means the only one there is. Errc::stale if a member names
// no package of the lock, or more than one.
std::vector<LockedPackage> members(const LockedSet& set, const Lock& lock,
                                   std::string_view source,
                                   std::string_view architecture);

// The shortest names for `packages`, given everything that stands in lock.packages;
// sorted.
std::vector<std::string> member_names(const std::vector<LockedPackage>& packages,
                                      const Lock& lock, std::string_view architecture);

}  // namespace lithify
