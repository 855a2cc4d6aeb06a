// predicate_names: short names of predicate types, as people write them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace oci {

// The URI that "signature", "spdx", "cyclonedx", "openvex", "provenance" or "test-result"
// stands for; a URI as it is. Errc::bad_input for other words.
std::string predicate_type_named(std::string_view name);

// The short name of a URI if it has one, else the URI.
std::string_view predicate_name(std::string_view type);

}  // namespace oci
