// verifying: demands for signatures, as people wrote them, put to what is attached.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "oci/base/reference.h"
#include "oci/sign/requirement.h"

#include "builder/cli/wiring.h"
#include "builder/plan/recipe.h"
#include "builder/plan/verify_policy.h"

namespace lithify {

// What is demanded of one image.
struct Demands {
  std::vector<oci::Requirement> requirements;
  std::optional<oci::Reference> reference;  // the name it is asked for by
  std::string origin;                       // "policy.yaml:12", or empty
};

// Reads the demand's keys; files are relative to `directory`. Errors are at the place of
// the key.
oci::Requirement requirement_of(Session& session, const VerifyDemand& demand,
                                const std::string& directory);

// What the policy in `file` demands of the image called `reference`. Errc::bad_input, at
// its place, for the first problem of the file, and without a reference, since policies
// go by repositories; Errc::untrusted if no rule is about it.
Demands demands_of_policy(Session& session, const std::string& file,
                          const std::optional<oci::Reference>& reference);

oci::PolicyReport verify_demands(const Demands& demands,
                                 const oci::ReferringRepository& images,
                                 const oci::Descriptor& root);

// `verify:` of a base, while locking: who signed. Errc::untrusted, L0212, at its place if
// that is not enough.
std::vector<LockedVerdict> verify_base(Session& session, const BaseToVerify& base);

// Makes `asked` of each verification depend on what stands in the files it names, so that
// a new key is a new question. What cannot be read is told of when it is used.
void pin_verifications(Recipe& recipe);

}  // namespace lithify
