// public_keys: whom to believe, as the command line names them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "oci/sign/verifier.h"

#include "builder/cli/wiring.h"

namespace lithify {

// Public keys by their references.
std::vector<oci::NamedKey> public_keys(const Session& session,
                                       const std::vector<std::string>& references);

}  // namespace lithify
