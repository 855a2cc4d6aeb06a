// SealedKey: a private key under a passphrase, as cosign keeps it in its PEM.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "oci/registry/secret.h"
#include "oci/sign/rng.h"

namespace oci {

// The JSON inside `ENCRYPTED SIGSTORE PRIVATE KEY` (cosign, pkg/cosign/keys.go;
// go-securesystemslib, encrypted/encrypted.go): scrypt makes a key of the passphrase,
// nacl/secretbox (XSalsa20, Poly1305) seals the PKCS#8 DER with it.
struct SealedKey {
  std::uint64_t cost = 0;  // scrypt's N; r is 8 and p is 1
  std::string salt;        // 32 bytes
  std::string nonce;       // 24 bytes
  std::string ciphertext;  // 16 bytes of tag, then as many as the plaintext has

  // Errc::bad_input for other members, other algorithms, and other costs than the three
  // that cosign takes (2^15, 2^16, 2^17): a stranger's cost could take all memory.
  static SealedKey parse(std::string_view json, std::string_view what);
  // Compact, members in cosign's order.
  std::string str() const;

  // Costs 2^16: 64 MiB and a fifth of a second. An empty passphrase is one, too.
  static SealedKey seal(const Secret& plaintext, const Secret& passphrase, Rng& rng);
  // Errc::bad_input if the passphrase is another, or a bit of the file is.
  Secret open(const Secret& passphrase, std::string_view what) const;

  bool operator==(const SealedKey&) const = default;
};

}  // namespace oci
