// step_difference: what two performances of one command made differently.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "oci/store/blob_store.h"

#include "builder/tree/tree.h"

namespace lithify {

// One path of a result that is not the same in both.
struct StepDifference {
  std::string path;  // without leading slash
  // "its content at byte 12", "its owner"; empty if only one has it.
  std::string what;
  // What a look at the bytes tells about the cause; empty: nothing. "a time of day".
  std::string cause = {};
  std::string evidence = {};  // "2026-11-26, 2027-12-31"; may be empty
  std::string cure = {};      // what to type where a cause was seen

  enum class In { both, first, second } in = In::both;
};

// In the order of paths, at most `most`. Contents are read; of gzip files, what is in
// them, too. How the store keeps them is no difference.
std::vector<StepDifference> differences_between(const Tree& first, const Tree& second,
                                                const oci::BlobStore& store,
                                                std::size_t most = 1000);

}  // namespace lithify
