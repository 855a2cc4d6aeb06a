// VerifyReport: what was checked, what was found, and what follows from it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "oci/base/error.h"

namespace oci {

// One question and its answer. Texts of strangers in `evidence` are made harmless.
struct VerifyCheck {
  std::string name;  // "signature", "subject", "predicate type", …
  bool passed = false;
  std::string evidence;
};

// One signature, attestation or file that somebody attached.
struct ObjectReport {
  std::string name;  // where it was found: a digest, a tag and a layer
  std::string form;  // "classic", "bundle", "envelope"
  // In the order they were made. The first that fails is the last: nothing is said about
  // what nobody signed.
  std::vector<VerifyCheck> checks;
  std::vector<std::string> keys;  // names of trusted keys that signed it

  bool accepted() const {
    return !keys.empty() && !checks.empty() && checks.back().passed;
  }
};

struct VerifyReport {
  bool accepted = false;
  std::vector<ObjectReport> objects;
  // One for each key of the rule, then one for the rule.
  std::vector<VerifyCheck> rule;

  // Canonical JSON: `accepted`, `objects`, `rule`, members as above.
  std::string json() const;
  // Errc::untrusted, with the rule's evidence as its message and the first failure of
  // each object as notes. Only if it is not accepted.
  Error rejection() const;
};

}  // namespace oci
