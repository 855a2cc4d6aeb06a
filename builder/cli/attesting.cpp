#include "builder/cli/attesting.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"
#include "oci/sign/statement.h"

#include "builder/cli/image_sbom.h"
#include "builder/cli/provenance_facts.h"

namespace lithify {

namespace {

using Kind = SignRule::Claim;

struct ClaimMaker {
  Kind kind;
  std::string_view name;
  std::string_view predicate_type;
  bool of_index;  // also about the index of several platforms
  // The predicate, canonical; nullptr: not built by this version.
  std::string (*make)(const BuildFacts& facts, const ClaimSubject& subject);
};

template <SbomForm Form>
std::string sbom(const BuildFacts& facts, const ClaimSubject& subject) {
  return sbom_predicate(facts, subject, Form);
}

constexpr ClaimMaker k_makers[] = {
    {Kind::sbom_spdx, "sbom-spdx", oci::predicate::k_spdx, false, sbom<SbomForm::spdx>},
    {Kind::sbom_cyclonedx, "sbom-cyclonedx", oci::predicate::k_cyclonedx, false,
     sbom<SbomForm::cyclonedx>},
    {Kind::provenance, "provenance", oci::predicate::k_provenance, true, provenance_of},
};

const ClaimMaker& maker_of(Kind kind) {
  for (const ClaimMaker& maker : k_makers) {
    if (maker.kind == kind) return maker;
  }
  throw oci::Error(oci::Errc::internal, "a claim that is not in the table");
}

}  // namespace

std::vector<ClaimSubject> claim_subjects(const ImagePlan& plan,
                                         const PackedImage& image) {
  std::vector<ClaimSubject> subjects;
  if (oci::is_index(image.root.media_type)) subjects.push_back({plan, image, image.root});
  for (std::size_t i = 0; i < image.variants.size(); ++i)
    subjects.push_back({plan, image, image.variants[i].manifest, i});
  return subjects;
}

std::vector<Claim> claims_about(const BuildFacts& facts, const ClaimSubject& subject,
                                Kind kind) {
  const ClaimMaker& maker = maker_of(kind);
  if (maker.make == nullptr || (subject.is_index() && !maker.of_index)) return {};
  return {{std::string(maker.predicate_type), maker.make(facts, subject)}};
}

std::string_view name_of(Kind kind) {
  return maker_of(kind).name;
}

void refuse_unmade_claims(const SignRule& rule) {
  for (const Kind kind : rule.attest) {
    if (maker_of(kind).make != nullptr) continue;
    oci::Error error(oci::Errc::bad_input,
                     fmt::format("`attest: {}` is not built by this version of lithify",
                                 name_of(kind)));
    if (!rule.place.file.empty()) error.at(rule.place);
    throw error.add_hint("leave it out, or attest it with `lithify attest --predicate`");
  }
}

}  // namespace lithify
