// VerifyPolicy: whose signatures of what are demanded, as people write it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/error.h"

namespace lithify {

using oci::Place;

// A key by the name that reports call it, and where it is: a file relative to the file
// that names it, env://VAR, NAME://ID or pkcs11:….
struct VerifyKey {
  std::string name;
  std::string reference;
  Place place;
};

// So many of the keys must have signed something of the type.
struct VerifyDemand {
  std::string type = "signature";  // or a short name of a predicate type, or its URI
  std::vector<VerifyKey> keys;     // at least one
  std::size_t needed = 1;
  std::map<std::string, std::string> annotations = {};
  Place place = {};
};

// `verify:` of an image source: a demand, or a policy file.
struct ImageVerification {
  std::string policy;  // relative to the build file; empty: the demand
  VerifyDemand demand;
  // What the lock compares: who changes the demand, a key or the policy is asked again.
  // One line of printable ASCII.
  std::string asked;
  Place place;
};

// What holds for some repositories. All demands must be met.
struct PolicyRule {
  std::vector<std::string> repositories;  // patterns as of Glob, over "host/path"
  // Which name signatures that bind one must bind: "same", where the image is asked for;
  // "any"; or a repository, and then only those that bind it count.
  std::string identity = "same";
  std::vector<VerifyDemand> demands;  // at least one
  Place place = {};
};

struct VerifyPolicy {
  std::string file;
  std::vector<PolicyRule> rules;

  // The first rule with a pattern that matches the whole name; nullptr if there is none.
  const PolicyRule* find(std::string_view repository) const;
};

}  // namespace lithify
