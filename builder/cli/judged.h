// judged: two images compared, and the cause of each difference, told to people and
// programs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "oci/image/compare.h"

#include "builder/compare/cause.h"

namespace lithify {

struct Judged {
  oci::ImageComparison comparison;
  std::vector<Cause> causes;  // one for each difference
  // By platform, where there are any.
  std::map<std::string, std::vector<ChangedPackage>> packages;
};

// `known` is completed with the packages of both images, which are read only where files
// differ.
Judged judge(const oci::ComparedImage& first, const oci::ComparedImage& second,
             Surroundings known, const std::stop_token& stop);

// Differences with one cause stand together, the first few with their places. Ends with a
// newline; nothing for equal images.
std::string judged_text(const Judged& judged);

// {"equal", "first", "second" (digests), "differences", "leftOut", "packages"}. Bytes
// that are not UTF-8 are given in hex beside.
nlohmann::json judged_json(const Judged& judged);

}  // namespace lithify
