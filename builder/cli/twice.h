// twice: `build --twice`: the same build once more, under other circumstances.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "builder/cli/attesting.h"
#include "builder/pack/assemble.h"

namespace lithify {

// Builds what `facts` built again in a fresh store elsewhere, with another number of
// threads, and another time zone, locale and umask, also of the programs that are run;
// compares. Equal images are told. For a different one what differs is told, or printed
// with --json, and Reported{4} thrown. No other thread may be running.
void build_twice(const BuildFacts& facts, const std::vector<PackedImage>& images);

}  // namespace lithify
