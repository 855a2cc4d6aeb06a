// lithify verify: whether to believe what is attached to an image.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/sign/predicate_names.h"
#include "oci/sign/requirement.h"

#include "builder/attest/reproduced.h"
#include "builder/cli/attached_place.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/verifying.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

std::string check_line(const oci::VerifyCheck& check) {
  return fmt::format("{} {}: {}\n", check.passed ? "✓" : "✗", check.name,
                     visible(check.evidence));
}

std::string report_text(const oci::VerifyReport& report) {
  std::string text;
  for (const oci::ObjectReport& object : report.objects) {
    text += fmt::format("{}  {}\n", object.form, visible(object.name));
    for (const oci::VerifyCheck& check : object.checks)
      text += "  " + check_line(check);
  }
  for (const oci::VerifyCheck& check : report.rule)
    text += check_line(check);
  return text;
}

std::string report_text(const oci::PolicyReport& report) {
  if (report.requirements.size() == 1) {
    return report_text(report.requirements.front().report);
  }
  std::string text;
  for (const oci::RequirementReport& one : report.requirements) {
    text += fmt::format("{}{}\n{}", text.empty() ? "" : "\n", visible(one.name),
                        report_text(one.report));
  }
  return text + fmt::format("\n{} all that is required\n", report.accepted ? "✓" : "✗");
}

std::string document_of(const AttachedPlace& place, const Demands& demands,
                        const oci::PolicyReport& report) {
  nlohmann::json document = nlohmann::json::parse(report.json());
  document["schema"] = "lithify.verify/1";
  document["digest"] = place.root.digest.str();
  document["image"] = place.image;
  if (!demands.origin.empty()) document["policy"] = demands.origin;
  return oci::canonical_json(document) + "\n";
}

// What stands in a policy is not said a second time, and perhaps otherwise.
void refuse_two_masters(const Options& options) {
  if (options.policy.empty()) return;
  const std::pair<const char*, bool> others[] = {
      {"--key", !options.keys.empty()},
      {"--reproduced-by", !options.reproduced_by.empty()},
      {"--threshold", options.threshold != 0},
      {"--type", !options.predicate_type.empty()},
      {"--annotation", !options.annotations.empty()}};
  for (const auto& [flag, given] : others) {
    if (!given) continue;
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("--policy and {} exclude each other", flag))
        .add_note("the policy says whose signature of what is wanted")
        .add_hint(fmt::format("leave {} out, or put it into {}", flag, options.policy));
  }
}

VerifyDemand demand_of(const std::vector<std::string>& keys, unsigned needed) {
  VerifyDemand demand;
  for (const std::string& key : keys)
    demand.keys.push_back({key, key, {}});
  demand.needed = needed;
  return demand;
}

// The rules that the flags make.
Demands demands_of_flags(Session& session, const AttachedPlace& place) {
  const Options& options = session.options();
  if (options.keys.empty() && options.reproduced_by.empty()) {
    throw oci::Error(oci::Errc::bad_input, "`verify` needs a key or a policy")
        .add_hint(
            "give the public key of whoever you trust: `--key FILE`; or `--policy FILE`");
  }
  // With --reproduced-by the threshold is of those.
  const bool rebuilt = !options.reproduced_by.empty();
  const auto& counted = rebuilt ? options.reproduced_by : options.keys;
  if (options.threshold > counted.size()) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("--threshold {} wants more keys than the {} given",
                                 options.threshold, counted.size()))
        .add_hint(fmt::format("give each with a `{}` of its own",
                              rebuilt ? "--reproduced-by" : "--key"));
  }
  const unsigned threshold = std::max(options.threshold, 1U);
  Demands demands{{}, place.reference, ""};
  if (!options.keys.empty()) {
    VerifyDemand demand = demand_of(options.keys, rebuilt ? 1 : threshold);
    if (!options.predicate_type.empty()) demand.type = options.predicate_type;
    demand.annotations = {options.annotations.begin(), options.annotations.end()};
    demands.requirements.push_back(requirement_of(session, demand, ""));
  }
  if (rebuilt) {
    VerifyDemand demand = demand_of(options.reproduced_by, threshold);
    demand.type = Reproduced::k_predicate_type;
    demands.requirements.push_back(requirement_of(session, demand, ""));
  }
  return demands;
}

}  // namespace

int run_verify(Session& session) {
  const Options& options = session.options();
  refuse_two_masters(options);
  AttachedPlace place = open_attached(session, oci::Access::pull);
  const Demands demands =
      options.policy.empty()
          ? demands_of_flags(session, place)
          : demands_of_policy(session, options.policy, place.reference);
  const oci::PolicyReport report = verify_demands(demands, *place.images, place.root);
  session.end_progress();
  session.print(options.json ? document_of(place, demands, report) : report_text(report));
  for (const std::string& line : report.unread)
    session.tell("not read: " + visible(line) + "\n");
  if (report.accepted) return exits::k_ok;
  throw report.rejection();
}

}  // namespace lithify
