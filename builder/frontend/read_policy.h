// read_policy: a policy file, and `verify:` of an image source, as values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/frontend/problems.h"
#include "builder/frontend/yaml.h"
#include "builder/plan/verify_policy.h"

namespace lithify {

struct PolicyReading {
  std::optional<VerifyPolicy> policy;  // only when no problem is an error
  std::vector<Problem> problems;       // sorted by place
};

// Pure: reads the text and nothing else. YAML, and so JSON. Hostile text is a problem,
// never an exception. Limits: those of parse_yaml, 64 keys, 1,000 rules.
PolicyReading read_policy(const std::string& file, std::string_view text);

// `verify:` of a source that the schema has checked and expanded. Keys that are files
// stay relative to the build file.
std::optional<ImageVerification> read_verification(const YamlNode& source,
                                                   Problems& problems);

}  // namespace lithify
