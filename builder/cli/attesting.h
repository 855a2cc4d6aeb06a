// attesting: what a build has to say about an image that it made. A kind of claim is one
// line of the table in attesting.cpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/attest/inventory.h"
#include "builder/cli/prepare.h"
#include "builder/cli/wiring.h"
#include "builder/pack/assemble.h"
#include "builder/plan/build_plan.h"
#include "builder/tree/tree.h"

namespace lithify {

// The inventory of the manifest that was asked for last: each form of an SBOM wants it,
// and it reads every file.
struct InventoryMemo {
  std::optional<oci::Digest> of;
  std::shared_ptr<const Inventory> inventory;  // its users outlive a change of the memo
};

// What is known when the build is done. References outlive it.
struct BuildFacts {
  Session& session;
  const Prepared& prepared;
  std::span<const Tree> results;  // of prepared.plan.graph
  std::shared_ptr<InventoryMemo> memo = std::make_shared<InventoryMemo>();  // of copies
};

// One manifest of an image: of a platform, or the index of several.
struct ClaimSubject {
  static constexpr std::size_t k_index = ~std::size_t{0};

  const ImagePlan& plan;
  const PackedImage& image;
  oci::Descriptor manifest;
  std::size_t variant = k_index;  // of both lists of variants
  bool is_index() const { return variant == k_index; }
};

// The index, if there is one, then the platforms.
std::vector<ClaimSubject> claim_subjects(const ImagePlan& plan, const PackedImage& image);

struct Claim {
  std::string predicate_type;  // a URI
  std::string predicate;       // the text of a JSON object
};

// What `kind` says about the subject; none if it says nothing about an index.
std::vector<Claim> claims_about(const BuildFacts& facts, const ClaimSubject& subject,
                                SignRule::Claim kind);

// As the build file has it: "sbom-spdx".
std::string_view name_of(SignRule::Claim kind);

// Errc::bad_input with the place for kinds that this version cannot make: to be asked
// before anything is built.
void refuse_unmade_claims(const SignRule& rule);

}  // namespace lithify
