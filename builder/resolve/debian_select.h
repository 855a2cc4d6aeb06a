// debian_select: the packages that apt-get would install into an image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"
#include "builder/resolve/debian_universe.h"

namespace lithify {

// What is asked for, with everything that it needs, without `already`. As apt does, only
// the candidate of each name counts (the version asked for, else that of the best pin,
// else the latest), the requests are settled first, dependencies depth first in the order
// written, and the first alternative that can be installed is taken. A choice that makes
// a later dependency impossible is taken back. Throws Errc::not_found for an unknown name
// or version, Errc::bad_input with the chain of reasons when it cannot be done. Sorted.
//
// With step.run_scripts essential packages are asked for first, because maintainer
// scripts use them without saying so, and usr-is-merged, because /usr is; callers clear
// it where a base has them.
//
// `preferred` were locked before: where the suites still have one, byte for byte, it is
// the candidate of its name (the last one, of several). If that cannot be done, they are
// forgotten.
std::vector<LockedPackage> select_packages(
    DebianUniverse& universe, const PackagesStep& step,
    const std::vector<LockedPackage>& already,
    const std::vector<LockedPackage>& preferred = {});

}  // namespace lithify
