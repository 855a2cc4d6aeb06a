// sandbox_report: what this machine allows steps that run programs, for people.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// What commands ran in: the level of our own sandbox, "L3", or whose other it was (a name
// as --sandbox has it).
std::string sandbox_used(const std::string& runner);

// "L3, a user namespace with a range of ids".
std::string sandbox_summary(const SandboxProbe& probe);

// The same with what works beside it, and a line to type for each thing that is missing;
// in lines of `doctor`.
std::string sandbox_report(const SandboxProbe& probe);

// The same for programs: the member `sandbox` of lithify.doctor/1.
nlohmann::json sandbox_document(const SandboxProbe& probe);

}  // namespace lithify
