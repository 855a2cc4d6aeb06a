// key_reference: where a key is, as people write it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "oci/registry/secret.h"
#include "oci/sign/public_key.h"

namespace oci {

// The PEM at `reference`: a FILE, or env://VAR for the text in a variable of
// `environment`, which is the caller's to pass. Errc::not_found if there is nothing;
// Errc::bad_input for other schemes (awskms://, k8s://, pkcs11:), which no file is named
// like, and for more than k_max_key_file bytes.
Secret read_key_text(std::string_view reference,
                     const std::map<std::string, std::string>& environment);

// The public key at `reference`; a private one there is refused.
PublicKey read_public_key(std::string_view reference,
                          const std::map<std::string, std::string>& environment);

// What messages call the key: the reference itself, in one line.
std::string key_name(std::string_view reference);

}  // namespace oci
