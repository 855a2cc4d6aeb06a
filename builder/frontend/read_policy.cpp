#include "builder/frontend/read_policy.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "oci/base/digest.h"

#include "builder/frontend/check_shape.h"
#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/policy_shape.h"
#include "builder/frontend/values.h"
#include "builder/plan/glob.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_keys = 64;
constexpr std::size_t k_max_rules = 1000;

// Where no key could be read that has been said.
void check_threshold(const VerifyDemand& demand, const YamlNode& node,
                     Problems& problems) {
  const YamlNode* threshold = node.find("threshold");
  if (threshold == nullptr || demand.keys.empty() ||
      demand.needed <= demand.keys.size()) {
    return;
  }
  problems.error(offence(code::k_bad_value, threshold->place(),
                         fmt::format("{} keys cannot sign where {} are named",
                                     demand.needed, demand.keys.size())));
}

class PolicyReader {
 public:
  PolicyReader(const YamlNode& file, Problems& problems)
      : file_(file), problems_(problems) {}

  VerifyPolicy read(const std::string& name) {
    VerifyPolicy policy;
    policy.file = name;
    read_keys();
    const auto& rules = items_of(file_, "rules");
    if (rules.size() > k_max_rules) too_many(*file_.find("rules"), "rules", k_max_rules);
    for (const YamlNode& rule : rules)
      policy.rules.push_back(read_rule(rule));
    return policy;
  }

 private:
  void too_many(const YamlNode& node, std::string_view what, std::size_t most) {
    problems_.error(offence(code::k_too_large, node.place(),
                            fmt::format("a policy has at most {} {}", most, what)));
  }

  void read_keys() {
    const auto& keys = entries_of(file_, "keys");
    if (keys.size() > k_max_keys) too_many(*file_.find("keys"), "keys", k_max_keys);
    for (const YamlNode::Entry& entry : keys) {
      names_.push_back(entry.key.text);
      keys_[entry.key.text] = {entry.key.text, entry.value.text, entry.value.place()};
    }
  }

  PolicyRule read_rule(const YamlNode& node) {
    PolicyRule rule;
    rule.place = node.place();
    for (const YamlNode* pattern : scalars_of(node.find("repositories"))) {
      check_pattern(*pattern);
      rule.repositories.push_back(pattern->text);
    }
    rule.identity = text_of(node, "identity", "same");
    if (const YamlNode* identity = node.find("identity")) check_identity(*identity);
    for (const YamlNode& demand : items_of(node, "require"))
      rule.demands.push_back(read_demand(demand));
    return rule;
  }

  // Anchored at both ends, and whole names only: a rule that matches more than was meant
  // lets in what was not.
  void check_pattern(const YamlNode& node) {
    if (const auto why = Glob::refusal(node.text)) {
      problems_.error(offence(code::k_bad_value, node.place(),
                              fmt::format("`{}` is no pattern", node.text),
                              "the pattern " + *why));
      return;
    }
    if (node.text == "**" || node.text.find('/') != std::string::npos) return;
    problems_.error(offence(code::k_bad_value, node.place(),
                            fmt::format("`{}` matches no repository", node.text),
                            "a repository has a host and a path")
                        .add_hint(fmt::format("write it whole, as `docker.io/library/{}`",
                                              node.text)));
  }

  void check_identity(const YamlNode& node) {
    if (node.text == "same" || node.text == "any" || parse_repository(node.text)) return;
    problems_.error(offence(code::k_bad_value, node.place(),
                            fmt::format("`identity` cannot be `{}`", node.text),
                            "`same`, `any` or a repository such as "
                            "`registry.example/shop/cart` was expected"));
  }

  VerifyDemand read_demand(const YamlNode& node) {
    VerifyDemand demand;
    demand.place = node.place();
    demand.type = text_of(node, "type", "signature");
    demand.annotations = text_map_of(node, "annotations");
    for (const char* form : {"any-of", "all-of", "some-of"}) {
      for (const YamlNode* name : scalars_of(node.find(form)))
        add_key(demand, *name);
    }
    demand.needed = 1;
    if (node.find("all-of")) demand.needed = demand.keys.size();
    if (node.find("some-of"))
      demand.needed = static_cast<std::size_t>(number_of(node, "threshold", 1));
    check_threshold(demand, node, problems_);
    return demand;
  }

  void add_key(VerifyDemand& demand, const YamlNode& name) {
    const auto known = keys_.find(name.text);
    if (known == keys_.end()) {
      oci::Error error =
          offence(code::k_bad_value, name.place(),
                  fmt::format("there is no key `{}`", name.text), "not in `keys`");
      const std::string near = did_you_mean(name.text, names_);
      if (!near.empty()) error.add_hint(near);
      problems_.error(std::move(error));
      return;
    }
    const bool twice =
        std::any_of(demand.keys.begin(), demand.keys.end(),
                    [&](const VerifyKey& key) { return key.name == name.text; });
    if (twice) {
      problems_.error(offence(code::k_bad_value, name.place(),
                              fmt::format("the key `{}` is named twice", name.text),
                              "it counts once"));
      return;
    }
    demand.keys.push_back(known->second);
  }

  const YamlNode& file_;
  Problems& problems_;
  std::map<std::string, VerifyKey> keys_;
  std::vector<std::string> names_;
};

bool is_policy(const YamlNode& root, Problems& problems) {
  if (root.is_map()) return true;
  problems.error(
      offence(code::k_wrong_type, root.place(),
              root.is_null() ? "the policy is empty" : "a policy is a map of fields")
          .add_hint("start with `lithify-policy: 1`"));
  return false;
}

// What the lock compares; a digest, because keys and annotations may be long.
std::string asked_by(const ImageVerification& verification) {
  if (!verification.policy.empty()) {
    return oci::Digest::of("policy\n" + verification.policy).str();
  }
  std::string text = fmt::format("{}\n", verification.demand.needed);
  for (const VerifyKey& key : verification.demand.keys)
    text += fmt::format("key {} {}\n", key.reference.size(), key.reference);
  for (const auto& [name, value] : verification.demand.annotations)
    text +=
        fmt::format("annotation {} {} {} {}\n", name.size(), name, value.size(), value);
  return oci::Digest::of(text).str();
}

}  // namespace

PolicyReading read_policy(const std::string& file, std::string_view text) {
  Problems problems;
  PolicyReading reading;
  VerifyPolicy policy;
  try {
    const YamlNode root = parse_yaml(file, text);
    if (is_policy(root, problems)) {
      check_shape(root, policy_shape(), "the policy", problems);
      policy = PolicyReader(root, problems).read(file);
    }
  } catch (const oci::Error& error) {
    problems.error(error);
  } catch (const TooManyProblems&) {
    // What was found until here is told.
  }
  if (!problems.any_error()) reading.policy = std::move(policy);
  reading.problems = std::move(problems).take();
  return reading;
}

std::optional<ImageVerification> read_verification(const YamlNode& source,
                                                   Problems& problems) {
  const YamlNode* node = source.find("verify");
  if (node == nullptr || !node->is_map()) return std::nullopt;
  ImageVerification verification;
  verification.place = source.find_entry("verify")->key.place();
  verification.policy = text_of(*node, "policy");
  VerifyDemand& demand = verification.demand;
  demand.place = verification.place;
  std::set<std::string> seen;
  for (const YamlNode* key : scalars_of(node->find("key"))) {
    if (!seen.insert(key->text).second) {
      problems.error(offence(code::k_bad_value, key->place(),
                             fmt::format("the key `{}` is named twice", key->text),
                             "it counts once"));
    }
    demand.keys.push_back({key->text, key->text, key->place()});
  }
  demand.needed = static_cast<std::size_t>(number_of(*node, "threshold", 1));
  demand.annotations = text_map_of(*node, "annotations");
  check_threshold(demand, *node, problems);
  verification.asked = asked_by(verification);
  return verification;
}

}  // namespace lithify
