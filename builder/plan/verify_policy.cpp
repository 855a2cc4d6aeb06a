#include "builder/plan/verify_policy.h"

#include <algorithm>

#include "builder/plan/glob.h"

namespace lithify {

const PolicyRule* VerifyPolicy::find(std::string_view repository) const {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const PolicyRule& rule) {
        return std::any_of(rule.repositories.begin(), rule.repositories.end(),
                           [&](const std::string& pattern) {
                             return Glob(pattern).matches(repository);
                           });
      });
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace lithify
