// policy_fuzz: policies of any form. One that is accepted demands something of somebody,
// and patterns cost no more than their length.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "builder/frontend/read_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const lithify::PolicyReading reading = lithify::read_policy("policy.yaml", text);
  if (reading.policy.has_value() == !reading.problems.empty()) std::abort();
  if (!reading.policy) return 0;
  if (reading.policy->rules.empty()) std::abort();
  for (const lithify::PolicyRule& rule : reading.policy->rules) {
    if (rule.repositories.empty() || rule.demands.empty()) std::abort();
    for (const lithify::VerifyDemand& demand : rule.demands) {
      if (demand.needed == 0 || demand.needed > demand.keys.size()) std::abort();
    }
  }
  for (const char* name : {"docker.io/library/debian", "a/b", "x.example:5000/a/b/c/d"})
    reading.policy->find(name);
  return 0;
}
