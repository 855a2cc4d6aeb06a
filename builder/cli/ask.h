// ask: what only the person at the terminal knows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "oci/registry/secret.h"

#include "builder/cli/wiring.h"

namespace lithify {

// A line; `prompt` without colon. Errc::bad_input with the hint if there is no terminal.
std::string ask_line(Session& session, const std::string& prompt,
                     const std::string& hint);
// The same without echo.
oci::Secret ask_secret(Session& session, const std::string& prompt,
                       const std::string& hint);
// All of standard input but the end of the last line.
oci::Secret read_secret(const std::string& what);

}  // namespace lithify
