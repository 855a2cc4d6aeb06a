// json: strict reading and canonical writing of JSON documents that have digests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace oci {

// No document of OCI's needs more: configurations are the largest.
inline constexpr std::size_t k_max_json = 8 * 1024 * 1024;

// Refuses with Errc::bad_input: more than `limit` bytes, depth over 64, duplicate keys,
// trailing text, invalid UTF-8. `what` names the document in the message.
nlohmann::json parse_json(std::string_view text, std::string_view what,
                          std::size_t limit = k_max_json);

// Sorted keys, no white space, minimal escapes, UTF-8. A floating point number anywhere
// is Errc::internal: two writers would not agree on its digits.
std::string canonical_json(const nlohmann::json& value);

}  // namespace oci
