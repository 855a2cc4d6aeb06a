// Requirement: one thing that must be signed about an image, and by whom; and whether all
// of several are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci/base/error.h"
#include "oci/base/reference.h"
#include "oci/image/referring_repository.h"
#include "oci/sign/verifier.h"

namespace oci {

struct Requirement {
  std::string name;  // what the report calls it
  KeyRule rule;
  // As in Expectation.
  std::string predicate_type = std::string(predicate::k_image_signature);
  std::optional<Reference> reference = {};
  bool must_name = false;
  std::map<std::string, std::string> annotations = {};
};

// What was required, and what was found for it.
struct RequirementReport {
  std::string name;
  std::string predicate_type;
  VerifyReport report;
};

struct PolicyReport {
  bool accepted = false;
  std::vector<RequirementReport> requirements;  // in the order they were given
  std::vector<std::string> unread;  // what was attached and could not be read, and why

  // Canonical JSON: `accepted`, `requirements` with the members of VerifyReport,
  // `unread`.
  std::string json() const;
  // Of the first requirement that is not met. Only if it is not accepted.
  Error rejection() const;
};

// Reads all that is attached to the manifest once. Accepted only if every requirement is
// met. Errc::bad_input for none at all, which would accept anything, and for what the
// constructor of Verifier refuses. A repository that does not answer is an Error.
PolicyReport verify_attached(const ReferringRepository& from, const Digest& manifest,
                             const std::vector<Requirement>& requirements);

}  // namespace oci
