#include "builder/frontend/read_when.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

bool argument_holds(const YamlNode::Entry& condition, const Scope& scope,
                    Problems& problems) {
  const std::string name = "args." + condition.key.text;
  const std::string* value = scope.value(name);
  if (!value) {
    if (scope.is_poisoned(name)) return true;
    oci::Error error = offence(
        code::k_undefined, condition.key.place(),
        fmt::format("there is no argument `{}`", condition.key.text), "not in `args`");
    error.add_hint(did_you_mean(condition.key.text, scope.names_below("args.")));
    problems.error(std::move(error));
    return true;
  }
  scope.note_use(name);
  const std::vector<std::string> any = texts(&condition.value);
  return std::find(any.begin(), any.end(), *value) != any.end();
}

}  // namespace

bool arguments_hold(const YamlNode& when, const Scope& scope, Problems& problems) {
  bool hold = true;
  for (const YamlNode::Entry& condition : entries_of(when, "arg"))
    hold = argument_holds(condition, scope, problems) && hold;
  return hold;
}

bool platform_holds(const YamlNode& when, const oci::Platform& platform) {
  const YamlNode* platforms = when.find("platform");
  if (!platforms) return true;
  const std::vector<std::string> any = texts(platforms);
  return std::any_of(any.begin(), any.end(), [&](const std::string& text) {
    return oci::Platform::parse(text) == platform;
  });
}

}  // namespace lithify
