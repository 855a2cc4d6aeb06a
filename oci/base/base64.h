// base64: bytes as text (RFC 4648, section 4).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oci {

// With padding, in one line.
std::string base64_encode(std::string_view bytes);
// nullopt if a character does not belong, or the padding is wrong; none at all is fine.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace oci
