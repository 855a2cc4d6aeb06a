// pem: bytes between two lines that say what they are (RFC 7468).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/registry/secret.h"

namespace oci {

// A file with keys has no reason to be larger.
inline constexpr std::size_t k_max_key_file = 64 * 1024;

struct PemBlock {
  std::string label;  // "PUBLIC KEY"
  Secret bytes;       // decoded; a private key is not told from a public one here
};

// Every block of `text`, in order; lines outside of blocks are comments. Errc::bad_input:
// more than k_max_key_file bytes or 16 blocks, no block, one without an end or with
// another's, headers inside, base64 with a second spelling. No message repeats the text.
std::vector<PemBlock> parse_pem(std::string_view text, std::string_view what);

// Lines of 64 characters, as OpenSSL and Go write them.
std::string write_pem(std::string_view label, std::string_view bytes);

}  // namespace oci
