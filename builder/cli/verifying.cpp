#include "builder/cli/verifying.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "oci/base/fd.h"
#include "oci/registry/server_error.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/predicate_names.h"

#include "builder/frontend/read_policy.h"
#include "builder/tell/text.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_max_policy = 4 * 1024 * 1024;
constexpr const char* k_unverified = "L0212";

// Keys that are files stand relative to the file that names them.
std::string located(const std::string& reference, const std::string& directory) {
  if (!oci::is_key_file(reference)) return reference;
  return (fs::path(directory) / reference).lexically_normal().string();
}

std::string directory_of(const std::string& file) {
  return fs::path(file).parent_path().string();
}

VerifyPolicy read_policy_file(Session& session, const std::string& file) {
  const std::string text =
      oci::during([&] { return "reading the policy " + file; },
                  [&] { return oci::read_file(file, k_max_policy); });
  session.texts().add(file, text);
  PolicyReading reading = read_policy(file, text);
  if (reading.policy) return std::move(*reading.policy);
  // Thrown, not told: an activity may be open, and telling would end the progress.
  oci::Error first = reading.problems.front().error;
  if (reading.problems.size() > 1) {
    first.add_note(fmt::format("{} has {} problems", file, reading.problems.size()));
  }
  throw first;
}

// Which name must be bound. Attestations bind none in any form.
void expect_name(oci::Requirement& expected, const PolicyRule& rule,
                 const oci::Reference& reference) {
  const bool classic_counts =
      expected.predicate_type == oci::predicate::k_image_signature;
  if (rule.identity == "any" || !classic_counts) return;
  expected.reference = reference;
  if (rule.identity == "same") return;
  expected.reference = oci::Reference::parse(rule.identity);
  expected.reference->tag.clear();
  expected.must_name = true;
}

Demands demands_of_rule(Session& session, const VerifyPolicy& policy,
                        const PolicyRule& rule, const oci::Reference& reference) {
  Demands demands{{}, reference, fmt::format("{}:{}", policy.file, rule.place.line)};
  for (const VerifyDemand& demand : rule.demands) {
    oci::Requirement one = requirement_of(session, demand, directory_of(policy.file));
    expect_name(one, rule, reference);
    demands.requirements.push_back(std::move(one));
  }
  return demands;
}

// One line for each key that signed for each requirement, in the form that comes first.
std::vector<LockedVerdict> verdicts_of(const Demands& demands,
                                       const oci::PolicyReport& report,
                                       const oci::Digest& subject) {
  std::vector<LockedVerdict> verdicts;
  for (std::size_t i = 0; i < report.requirements.size(); ++i) {
    const oci::RequirementReport& one = report.requirements[i];
    for (const oci::NamedKey& named : demands.requirements[i].rule.keys) {
      std::string form;
      for (const oci::ObjectReport& object : one.report.objects) {
        const bool signed_it = object.accepted() &&
                               std::find(object.keys.begin(), object.keys.end(),
                                         oci::harmless(named.name)) != object.keys.end();
        if (signed_it && (form.empty() || object.form < form)) form = object.form;
      }
      if (form.empty()) continue;
      verdicts.push_back({std::string(oci::predicate_name(one.predicate_type)), form,
                          named.key.fingerprint(), subject});
    }
  }
  return verdicts;
}

std::string text_or_nothing(const fs::path& file) {
  try {
    return oci::read_file(file, k_max_policy);
  } catch (const oci::Error&) {
    return {};
  }
}

// What the files say that a verification names, each after its length.
std::string files_of(const ImageVerification& verification,
                     const std::string& directory) {
  std::string all;
  const auto add = [&](const std::string& text) {
    all += fmt::format("{}\n{}\n", text.size(), text);
  };
  const auto add_keys = [&](const VerifyDemand& demand, const std::string& beside) {
    for (const VerifyKey& key : demand.keys) {
      if (oci::is_key_file(key.reference))
        add(text_or_nothing(located(key.reference, beside)));
    }
  };
  add_keys(verification.demand, directory);
  if (verification.policy.empty()) return all;
  const std::string file = located(verification.policy, directory);
  const std::string text = text_or_nothing(file);
  add(text);
  const PolicyReading reading = read_policy(file, text);
  if (!reading.policy) return all;
  for (const PolicyRule& rule : reading.policy->rules) {
    for (const VerifyDemand& demand : rule.demands)
      add_keys(demand, directory_of(file));
  }
  return all;
}

}  // namespace

oci::Requirement requirement_of(Session& session, const VerifyDemand& demand,
                                const std::string& directory) {
  oci::Requirement requirement;
  try {
    requirement.predicate_type = oci::predicate_type_named(demand.type);
  } catch (oci::Error& error) {
    if (demand.place.line > 0) error.at(demand.place);
    throw;
  }
  requirement.name = oci::predicate_name(requirement.predicate_type);
  requirement.annotations = demand.annotations;
  requirement.rule.needed = demand.needed;
  for (const VerifyKey& key : demand.keys) {
    try {
      // Of the command line the user is the author.
      if (key.place.line > 0) oci::refuse_code(key.reference);
      const std::string name =
          key.name == key.reference ? oci::key_name(key.name) : key.name;
      requirement.rule.keys.push_back(
          {name, oci::read_public_key(located(key.reference, directory),
                                      session.environment(), session.stop())});
    } catch (oci::Error& error) {
      if (key.place.line > 0) error.at(key.place, "named here");
      throw;
    }
  }
  return requirement;
}

Demands demands_of_policy(Session& session, const std::string& file,
                          const std::optional<oci::Reference>& reference) {
  const VerifyPolicy policy = read_policy_file(session, file);
  if (!reference) {
    throw oci::Error(oci::Errc::bad_input,
                     "a policy goes by the repository, and nothing says which it is")
        .add_hint("say which it will be: `--as HOST/PATH:TAG`");
  }
  const PolicyRule* rule = policy.find(reference->name());
  if (rule == nullptr) {
    throw oci::Error(oci::Errc::untrusted,
                     fmt::format("no rule of {} is about {}", file, reference->name()))
        .add_note("what no rule is about is not accepted")
        .add_hint("add a rule; a pattern for everything is `**`");
  }
  return demands_of_rule(session, policy, *rule, *reference);
}

oci::PolicyReport verify_demands(const Demands& demands,
                                 const oci::ReferringRepository& images,
                                 const oci::Descriptor& root) {
  std::vector<oci::Requirement> requirements = demands.requirements;
  if (demands.origin.empty()) {
    for (oci::Requirement& requirement : requirements)
      requirement.reference = demands.reference;
  }
  return oci::verify_attached(images, root.digest, requirements);
}

std::vector<LockedVerdict> verify_base(Session& session, const BaseToVerify& base) {
  const oci::Reference reference = oci::Reference::parse(base.ref);
  try {
    Demands demands;
    if (base.how.policy.empty()) {
      demands = {
          {requirement_of(session, base.how.demand, base.directory)}, reference, ""};
    } else {
      demands =
          demands_of_policy(session, located(base.how.policy, base.directory), reference);
    }
    const auto client = session.registries().open(reference.name(), oci::Access::pull);
    const oci::Descriptor root{"", base.root, 0};
    const oci::PolicyReport report = verify_demands(demands, *client, root);
    if (!report.accepted) throw report.rejection();
    return verdicts_of(demands, report, base.root);
  } catch (oci::Error& error) {
    if (error.code() == oci::Errc::untrusted) error.number(k_unverified);
    error.add_context(fmt::format("verifying {} ({})", base.ref, base.root.brief()));
    error.at(base.how.place, "demanded here");
    if (error.code() == oci::Errc::untrusted) {
      error.add_hint(fmt::format("`lithify verify --key KEY {}@{}` shows every check",
                                 reference.name(), base.root.str()));
    }
    throw;
  }
}

void pin_verifications(Recipe& recipe) {
  for (auto& [key, source] : recipe.sources) {
    auto* image = std::get_if<ImageSource>(&source.kind);
    if (image == nullptr || !image->verify) continue;
    ImageVerification& verification = *image->verify;
    verification.asked = oci::Digest::of(verification.asked + "\n" +
                                         files_of(verification, recipe.directory))
                             .str();
  }
}

}  // namespace lithify
