// strict_base64: base64 of which each value has one spelling.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oci {

// The standard alphabet with padding and nothing behind the last bit, as protojson and
// PEM write it. nullopt for anything else: what two readers could understand in two ways
// must not stand beside a signature.
std::optional<std::string> strict_base64_decode(std::string_view text);

// The same, and the URL-safe alphabet with or without padding, which readers of DSSE must
// take (envelope.md). A text that mixes both is refused.
std::optional<std::string> any_base64_decode(std::string_view text);

}  // namespace oci
