// evp_key: OpenSSL's keys, owned, and only of the kinds that verifiers agree about.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "oci/base/digest.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace oci {

struct FreeEvpKey {
  void operator()(evp_pkey_st* key) const noexcept;
};
using EvpKey = std::unique_ptr<evp_pkey_st, FreeEvpKey>;

// The type of a key alone decides hash, padding and encoding (§1.4 of the Sigstore
// formats as verifiers have them): ECDSA of any curve SHA-256 and DER, RSA SHA-256 and
// PKCS#1 v1.5, Ed25519 the payload itself. Nothing that comes with a signature is asked.
enum class KeyType { ecdsa_p256, ecdsa_p384, ecdsa_p521, rsa, ed25519 };

// "ECDSA P-256", for people.
std::string_view key_type_name(KeyType type);

// Errc::bad_input for any other kind of key: other curves, curves by their parameters,
// RSA of less than 2048 or more than 8192 bits, with an exponent that is even or below
// 65537, or bound to PSS. `what` names the key in the message.
KeyType require_known_key(evp_pkey_st* key, std::string_view what);

// DER of its SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
std::string spki_der(evp_pkey_st* key);
// nullptr unless `der` is exactly what spki_der() would give: no trailing bytes, no
// compressed points, no second spelling of one key.
EvpKey parse_spki(std::string_view der);

// False for anything but a valid signature in the one encoding. Never throws for a bad
// signature.
bool verify_with(evp_pkey_st* key, KeyType type, Bytes payload, Bytes signature);
std::string sign_with(evp_pkey_st* key, KeyType type, Bytes payload);

}  // namespace oci
