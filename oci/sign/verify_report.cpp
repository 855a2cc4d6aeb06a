// verify_report: the report as JSON and as an error.
#include "oci/sign/verify_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"

namespace oci {

namespace {

constexpr std::size_t k_max_notes = 8;

nlohmann::json checks_json(const std::vector<VerifyCheck>& checks) {
  nlohmann::json list = nlohmann::json::array();
  for (const VerifyCheck& check : checks) {
    list.push_back(
        {{"check", check.name}, {"evidence", check.evidence}, {"passed", check.passed}});
  }
  return list;
}

}  // namespace

std::string VerifyReport::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const ObjectReport& object : objects) {
    list.push_back({{"accepted", object.accepted()},
                    {"checks", checks_json(object.checks)},
                    {"form", object.form},
                    {"keys", object.keys},
                    {"name", object.name}});
  }
  return canonical_json({{"accepted", accepted},
                         {"objects", std::move(list)},
                         {"rule", checks_json(rule)}});
}

Error VerifyReport::rejection() const {
  Error error(Errc::untrusted,
              rule.empty() ? "nothing was verified" : rule.back().evidence);
  std::size_t notes = 0;
  for (const ObjectReport& object : objects) {
    if (object.accepted() || object.checks.empty()) continue;
    if (++notes > k_max_notes) {
      error.add_note("further signatures fail, too");
      break;
    }
    const VerifyCheck& failed = object.checks.back();
    error.add_note(fmt::format("{} ({}): {}: {}", object.name, object.form, failed.name,
                               failed.evidence));
  }
  return error;
}

}  // namespace oci
