#include "builder/frontend/read_sign.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_keys = 16;
constexpr std::string_view k_file = "file://";

std::optional<SignRule::Claim> claim_named(std::string_view name) {
  if (name == "sbom-spdx") return SignRule::Claim::sbom_spdx;
  if (name == "sbom-cyclonedx") return SignRule::Claim::sbom_cyclonedx;
  if (name == "provenance") return SignRule::Claim::provenance;
  return std::nullopt;
}

SignRule::Form form_named(std::string_view name) {
  if (name == "classic") return SignRule::Form::classic;
  if (name == "bundle") return SignRule::Form::bundle;
  return SignRule::Form::both;
}

void twice(const YamlNode& item, Problems& problems) {
  problems.error(offence(code::k_duplicate, item.place(),
                         fmt::format("`{}` stands twice", item.text), "again"));
}

// "file://PATH" is PATH: other programs write their files so.
std::string key_reference(const std::string& text) {
  return text.starts_with(k_file) ? text.substr(k_file.size()) : text;
}

void read_keys(const YamlNode* list, SignRule& rule, Problems& problems) {
  for (const YamlNode* item : scalars_of(list)) {
    const std::string key = key_reference(item->text);
    if (key.empty()) {
      if (!item->text.empty())
        problems.error(offence(code::k_bad_value, item->place(),
                               "`file://` names no file", "a path belongs behind it"));
    } else if (std::find(rule.keys.begin(), rule.keys.end(), key) != rule.keys.end()) {
      twice(*item, problems);
    } else if (rule.keys.size() == k_max_keys) {
      return problems.error(
          offence(code::k_too_large, item->place(),
                  fmt::format("more than {} keys to sign with", k_max_keys)));
    } else {
      rule.keys.push_back(key);
    }
  }
}

}  // namespace

std::optional<SignRule> read_sign(const YamlNode& sign, Problems& problems) {
  if (!sign.is_map()) return std::nullopt;
  SignRule rule;
  rule.place = sign.place();
  read_keys(sign.find("key"), rule, problems);
  for (const YamlNode* item : scalars_of(sign.find("attest"))) {
    const auto claim = claim_named(item->text);
    if (!claim) continue;  // already reported
    if (std::find(rule.attest.begin(), rule.attest.end(), *claim) != rule.attest.end()) {
      twice(*item, problems);
    } else {
      rule.attest.push_back(*claim);
    }
  }
  rule.form = form_named(text_of(sign, "format"));
  rule.mirror_att = flag_of(sign, "mirror-att", false);
  rule.index_att = flag_of(sign, "index-att", false);
  return rule;
}

}  // namespace lithify
