// canonical_text: whether a JSON text is canonical already.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace oci {

// True only if canonical_json(parse_json(text)) would give the text back. Builds no
// document: an SBOM of a large image would be ten times its text. Limits of depth are
// parse_json()'s; a number with a fraction is never canonical.
bool is_canonical_json(std::string_view text);

}  // namespace oci
