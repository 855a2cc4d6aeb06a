// requirement: several verifiers are shown the same.
#include "oci/sign/requirement.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/sign/attach.h"

namespace oci {

PolicyReport verify_attached(const ReferringRepository& from, const Digest& manifest,
                             const std::vector<Requirement>& requirements) {
  if (requirements.empty()) {
    throw Error(Errc::bad_input, "nothing is required: anything would be accepted");
  }
  std::vector<Verifier> verifiers;
  for (const Requirement& requirement : requirements) {
    verifiers.emplace_back(
        requirement.rule,
        Expectation{manifest, requirement.predicate_type, requirement.reference,
                    requirement.must_name, requirement.annotations});
  }
  PolicyReport report;
  offer_attached(from, manifest, verifiers, report.unread);
  for (std::size_t i = 0; i < verifiers.size(); ++i) {
    const Requirement& requirement = requirements[i];
    report.requirements.push_back(
        {requirement.name, requirement.predicate_type, std::move(verifiers[i]).finish()});
  }
  report.accepted = std::all_of(
      report.requirements.begin(), report.requirements.end(),
      [](const RequirementReport& requirement) { return requirement.report.accepted; });
  return report;
}

std::string PolicyReport::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const RequirementReport& requirement : requirements) {
    nlohmann::json one = nlohmann::json::parse(requirement.report.json());
    one["name"] = requirement.name;
    one["predicateType"] = requirement.predicate_type;
    list.push_back(std::move(one));
  }
  return canonical_json(
      {{"accepted", accepted}, {"requirements", std::move(list)}, {"unread", unread}});
}

Error PolicyReport::rejection() const {
  for (const RequirementReport& requirement : requirements) {
    if (requirement.report.accepted) continue;
    Error error = requirement.report.rejection();
    if (!unread.empty()) {
      error.add_note(fmt::format("{} of what is attached could not be read: {}",
                                 unread.size(), unread.front()));
    }
    if (requirements.size() > 1) {
      Error named(Errc::untrusted, fmt::format("{}: {}", requirement.name, error.what()));
      for (const auto& note : error.notes())
        named.add_note(note);
      return named;
    }
    return error;
  }
  return Error(Errc::internal, "what was accepted is rejected");
}

}  // namespace oci
