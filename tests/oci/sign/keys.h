// keys: a few private keys of each kind, made once, and texts to be spoilt.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "oci/sign/private_key.h"

// Salts and nonces that are the same each time.
class CountingRng final : public oci::Rng {
 public:
  void fill(std::span<std::byte> into) override {
    for (std::byte& byte : into)
      byte = static_cast<std::byte>(next_++);
  }

 private:
  unsigned char next_ = 0;
};

inline const oci::KeyType k_all_key_types[] = {
    oci::KeyType::ecdsa_p256, oci::KeyType::ecdsa_p384, oci::KeyType::ecdsa_p521,
    oci::KeyType::rsa, oci::KeyType::ed25519};

// RSA costs a second.
inline oci::PrivateKey& key_of(oci::KeyType type) {
  static std::map<oci::KeyType, oci::PrivateKey> keys;
  const auto found = keys.find(type);
  if (found != keys.end()) return found->second;
  return keys.emplace(type, oci::PrivateKey::generate(type)).first->second;
}

// `text` with the first `from` replaced.
inline std::string replaced(std::string text, const std::string& from,
                            const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no " + from + " in " + text);
  return text.replace(at, from.size(), to);
}
