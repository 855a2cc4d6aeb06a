// pkcs8: the forms of a private key that OpenSSL reads and writes, as DER.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "oci/registry/secret.h"
#include "oci/sign/evp_key.h"
#include "oci/sign/rng.h"

namespace oci {

// All of these read exactly `der`, with nothing behind it; nullptr if it is not that
// form.
EvpKey parse_pkcs8(std::string_view der);  // PrivateKeyInfo (RFC 5208)
EvpKey parse_sec1(std::string_view der);   // ECPrivateKey (RFC 5915)
EvpKey parse_pkcs1(std::string_view der);  // RSAPrivateKey (RFC 8017, A.1.2)

// EncryptedPrivateKeyInfo with PBES2 (RFC 8018) to PrivateKeyInfo. Errc::bad_input for
// other encryptions and for costs that would take minutes or gigabytes (more than five
// million rounds of PBKDF2, scrypt beyond cosign's), also for a wrong passphrase.
Secret decrypt_pkcs8(std::string_view der, const Secret& passphrase,
                     std::string_view what);

Secret write_pkcs8(evp_pkey_st* key);
std::string encrypt_pkcs8(evp_pkey_st* key, const Secret& passphrase, Rng& rng);

}  // namespace oci
