// error_document: failures as JSON, for programs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "oci/base/error.h"

namespace lithify {

// {"kind":"bad-input","message":…} and, where there are any: "code" ("L0021"), "place"
// ({"file","line","column","length"}; line 0 is the whole file), "label", "places",
// "notes", "context" (innermost first), "hint".
nlohmann::json described(const oci::Error& error);

// The document "lithify.error/1" of a command that ended with `exit`: the first failure,
// "exit", and the "further" ones if there are several. Without any it was interrupted.
std::string error_document(const std::vector<oci::Error>& errors, int exit);

// On one line, with an end; what is not UTF-8 is replaced.
std::string json_line(const nlohmann::json& document);

}  // namespace lithify
