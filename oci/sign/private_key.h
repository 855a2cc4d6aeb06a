// PrivateKey: a key of a file, in memory, as a Signer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "oci/registry/secret.h"
#include "oci/sign/rng.h"
#include "oci/sign/signer.h"

namespace oci {

// What `generate` makes. RSA has 3072 bits.
inline constexpr KeyType k_default_key_type = KeyType::ecdsa_p256;

// Owns the key, which OpenSSL wipes when it goes. Signing is safe from several threads.
// No message of any Error here has a part of the key or of a passphrase.
class PrivateKey final : public Signer {
 public:
  static PrivateKey generate(KeyType type = k_default_key_type);

  // Reads what people have: cosign's PEM (`ENCRYPTED SIGSTORE PRIVATE KEY`, and COSIGN in
  // place of SIGSTORE), PKCS#8 plain and under PBES2, SEC1 (with `EC PARAMETERS` before
  // it) and PKCS#1. `passphrase` is used where there is one; Errc::bad_input if it is
  // wrong. Errc::bad_input: more than one key, a kind that PublicKey refuses, an inner
  // form other than PKCS#8 in cosign's PEM, halves that do not fit, an encryption whose
  // cost is out of bounds, and anything unreadable.
  static PrivateKey parse(std::string_view pem, const Secret& passphrase,
                          std::string_view what);

  // Whether parse() needs a passphrase. Errc::bad_input if there is no private key.
  static bool is_encrypted(std::string_view pem, std::string_view what);

  Signature sign(Bytes payload) override;
  PublicKey public_key() const override { return public_; }

  // cosign's PEM, the form in which keys are kept.
  std::string sealed_pem(const Secret& passphrase, Rng& rng) const;
  // PKCS#8 for other tools: plain, and under PBES2 (PBKDF2 with 600,000 rounds of
  // SHA-256, AES-256-CBC).
  Secret pkcs8_pem() const;
  std::string encrypted_pkcs8_pem(const Secret& passphrase, Rng& rng) const;

 private:
  PrivateKey(EvpKey key, std::string_view what);
  Secret pkcs8_der() const;

  EvpKey key_;
  PublicKey public_;
};

}  // namespace oci
