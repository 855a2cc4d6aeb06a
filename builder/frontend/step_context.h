// StepContext: what is known where a step stands.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oci/base/descriptor.h"

#include "builder/frontend/accounts.h"
#include "builder/frontend/interpolate.h"
#include "builder/frontend/read_sources.h"

namespace lithify {

class StageReader;

// What the steps are for, and where they are performed: the same but for stages on the
// builder's own platform.
struct StepPlatforms {
  oci::Platform target;
  oci::Platform runs_on;
  Scope target_scope;
  Scope runs_on_scope;
};

// References outlive the readers of steps.
struct StepContext {
  const StepPlatforms& platforms;
  const YamlNode* defaults;  // the `defaults` of the image or stage; nullptr: none
  SourceReader& sources;
  StageReader& stages;
  Accounts& accounts;
  Problems& problems;
};

// The value of one of the defaults; nullptr: it is not given.
inline const YamlNode* default_of(const StepContext& context, std::string_view field) {
  return context.defaults ? context.defaults->find(field) : nullptr;
}

// What `from` of a copy or a mount names: a source, as a key of Recipe::sources, or a
// stage. An empty name: it was reported.
struct TreeName {
  std::string name;
  bool of_stage = false;
};
TreeName tree_named(const YamlNode& from, const StepContext& context);

}  // namespace lithify
