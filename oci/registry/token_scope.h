// token_scope: sets of "TYPE:NAME:ACTION,ACTION", compared by what they allow.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "oci/registry/authorizer.h"

namespace oci {

// One scope for each resource, where it was first named, its actions sorted and once.
Scopes merged_scopes(const Scopes& scopes);
// Equal for sets that allow the same.
std::string scope_key(const Scopes& scopes);
// What `wanted` has and `asked` has not.
Scopes missing_scopes(const Scopes& asked, const Scopes& wanted);
// The scope parameter of a challenge; what is longer than 1 KiB or beyond the sixteenth
// is left out, and so is what could not stand in a URL as it is.
Scopes split_scopes(std::string_view text);

}  // namespace oci
