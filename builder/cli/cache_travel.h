// cache_travel: `lithify cache export` and `import`: caches of commands between machines.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "builder/cli/wiring.h"

namespace lithify {

// The second operand names the archive; "-" is standard output or input. Return the exit
// code.
int export_caches(Session& session);
int import_caches(Session& session);

// "1 file", "812 files".
std::string files_text(std::uint64_t files);

}  // namespace lithify
