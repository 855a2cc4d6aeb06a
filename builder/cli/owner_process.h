// owner_process: files given away and taken back by the root of a user namespace.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace lithify {

// `lithify internal give ROOT LIST` and `lithify internal take ROOT LIST`, which nobody
// types: StepRoot starts this program so in the namespace of a sandbox, because a process
// with threads cannot enter one. LIST is builder/root/owners.h's text.
bool is_owner_process(const std::vector<std::string>& words);
// Returns the exit status; what is wrong has been told on standard error.
int run_owner_process(const std::vector<std::string>& words);

}  // namespace lithify
