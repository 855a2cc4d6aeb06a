// key_rule: counting keys, not signatures.
#include "oci/sign/key_rule.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

std::string brief(const PublicKey& key) {
  return fmt::format("{}, {}", key_type_name(key.type()), key.fingerprint().brief());
}

// The objects that `name` signed and that passed, or "".
std::string signed_by(const std::string& name, const std::vector<ObjectReport>& objects) {
  std::string list;
  for (const ObjectReport& object : objects) {
    if (!object.accepted() ||
        std::find(object.keys.begin(), object.keys.end(), name) == object.keys.end()) {
      continue;
    }
    list += (list.empty() ? "" : ", ") + object.name;
  }
  return list;
}

std::string rule_name(const KeyRule& rule) {
  if (rule.needed == rule.keys.size()) return "all keys";
  if (rule.needed == 1) return "any key";
  return fmt::format("{} of {} keys", rule.needed, rule.keys.size());
}

}  // namespace

void require_sound(const KeyRule& rule) {
  if (rule.keys.empty()) {
    throw Error(Errc::bad_input, "no key to verify with: nobody would be trusted")
        .add_hint("name one: --key FILE");
  }
  if (rule.needed == 0 || rule.needed > rule.keys.size()) {
    throw Error(Errc::bad_input, fmt::format("{} keys are to have signed, of {}",
                                             rule.needed, rule.keys.size()));
  }
  for (std::size_t i = 0; i < rule.keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const NamedKey& one = rule.keys[i];
      const NamedKey& other = rule.keys[j];
      if (one.key == other.key || one.name == other.name) {
        throw Error(Errc::bad_input,
                    fmt::format("{} and {} are one key, which would count twice",
                                harmless(other.name), harmless(one.name)));
      }
    }
  }
}

bool check_signature(ObjectReport& report, const KeyRule& rule, std::string_view payload,
                     std::string_view signature) {
  std::string evidence;
  for (const NamedKey& named : rule.keys) {
    if (!named.key.verifies(as_bytes(payload), as_bytes(signature))) continue;
    report.keys.push_back(harmless(named.name));
    evidence += fmt::format("{}{} ({})", evidence.empty() ? "by " : ", ",
                            harmless(named.name), brief(named.key));
  }
  const bool passed = !report.keys.empty();
  report.checks.push_back(
      {"signature", passed, passed ? evidence : "none of the trusted keys made it"});
  return passed;
}

VerifyReport judge(const KeyRule& rule, std::vector<ObjectReport> objects) {
  VerifyReport report{false, std::move(objects), {}};
  std::size_t count = 0;
  std::string missing;
  for (const NamedKey& named : rule.keys) {
    const std::string name = harmless(named.name);
    const std::string list = signed_by(name, report.objects);
    report.rule.push_back(
        {"key " + name, !list.empty(),
         list.empty() ? "signed nothing that is accepted" : "signed " + list});
    if (list.empty()) {
      missing += (missing.empty() ? "" : ", ") + name;
    } else {
      ++count;
    }
  }
  report.accepted = count >= rule.needed;
  std::string evidence = fmt::format("{} of {} needed keys signed",
                                     std::min(count, rule.needed), rule.needed);
  if (report.objects.empty())
    evidence = "no signature was found";
  else if (!report.accepted)
    evidence += ", not " + missing;
  report.rule.push_back({rule_name(rule), report.accepted, evidence});
  return report;
}

}  // namespace oci
