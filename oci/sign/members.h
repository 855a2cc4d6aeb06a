// members: exactly the members that a signed document may have, and bytes in them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "oci/image/document_node.h"

namespace oci {

// Refuses, as DocumentNode does, an object with any other member. Readers of others match
// names without regard to case, or take the last of two; so one that we do not know could
// be the one that they obey.
void require_only(const DocumentNode& object,
                  std::initializer_list<std::string_view> names);

// A text in strict base64 (strict_base64.h), decoded.
std::string as_strict_bytes(const DocumentNode& node);
// The same of a member that must be there.
std::string require_bytes(const DocumentNode& object, const char* name);

// protojson's 64-bit numbers: decimal digits in a string, or a number; not negative. 0 if
// it is not there.
std::int64_t count_or_zero(const DocumentNode& object, const char* name);

}  // namespace oci
