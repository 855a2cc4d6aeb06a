// build_report: what a build made, for programs and for people.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "builder/pack/assemble.h"
#include "builder/tell/tally.h"

namespace lithify {

struct BuildTimes {
  std::chrono::milliseconds all{0};
  std::chrono::milliseconds resolve{0};
  std::chrono::milliseconds steps{0};
  std::chrono::milliseconds pack{0};
  std::chrono::milliseconds tests{0};
  std::chrono::milliseconds outputs{0};
  std::chrono::milliseconds cache{0};
  std::chrono::milliseconds push{0};
};

// The document of --json and --metadata-file, with a newline. Equal images give equal
// documents: how they came about is not in it.
std::string build_document(const std::vector<PackedImage>& images);

// The lines at the end of a build.
std::string build_summary(const std::vector<PackedImage>& images, const BuildTimes& times,
                          const Tally::Counts& steps);

}  // namespace lithify
