// Reproduced: somebody built an image again, and got the same bytes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "oci/base/digest.h"

namespace lithify {

// A predicate of our own. SLSA's verification summary speaks of levels that a policy was
// found to be met at, which is not what a rebuild shows; a verifier of those would take
// one for the other. That the statement is there means: index, manifests, configurations
// and layers were equal. There is none for what was not equal.
struct Reproduced {
  static constexpr const char* k_predicate_type = "https://lithify.dev/reproduced/v1";

  oci::Digest provenance;        // of the canonical predicate that the rebuild followed
  std::string original_id;       // runDetails.builder.id in there
  bool private_sources = false;  // local sources were the rebuilder's own copy
  std::string version;           // of the rebuilder's lithify

  // Canonical JSON: equal rebuilds say the same, so saying it twice changes nothing.
  std::string str() const;
};

}  // namespace lithify
