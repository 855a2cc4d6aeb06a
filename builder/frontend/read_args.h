// read_args: the arguments of a build file and their values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/frontend/interpolate.h"
#include "builder/frontend/lithify_file.h"

namespace lithify {

// The names that have a value in the whole file: args and git. $(epoch) waits until the
// file's `epoch:` is read. The command line wins over the environment, that over the
// default; `arguments` gets to know which did.
Scope read_scope(const YamlNode& file, const FrontendOptions& options,
                 std::vector<Argument>& arguments, Problems& problems);

// Arguments that nothing used.
void warn_unused_args(const YamlNode& file, const Scope& scope, Problems& problems);

}  // namespace lithify
