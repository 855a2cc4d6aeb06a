// PublicKey: what a signature is checked with, as a value.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "oci/base/digest.h"
#include "oci/sign/evp_key.h"

namespace oci {

// Immutable; may be used by several threads. Two keys are equal if their bytes are.
class PublicKey {
 public:
  // PEM with exactly one `PUBLIC KEY` (RFC 5280 SubjectPublicKeyInfo), the only form
  // that verifiers know. Errc::bad_input for anything else, and for the kinds of keys
  // that require_known_key() refuses. `what` names it in messages.
  static PublicKey parse(std::string_view pem, std::string_view what);
  static PublicKey from_der(std::string_view spki, std::string_view what);

  KeyType type() const { return type_; }
  const std::string& der() const { return der_; }
  std::string pem() const;
  // SHA-256 of the DER. `hint()` is its base64, as cosign writes it into a bundle.
  Digest fingerprint() const { return Digest::of(der_); }
  std::string hint() const;
  // What to tell whoever signs with such a key; empty if there is nothing. Ed25519:
  // cosign 3 itself signs with another variant than it verifies.
  std::string caution() const;

  // True only for a valid signature over exactly these bytes; the algorithm follows from
  // the type of the key alone.
  bool verifies(Bytes payload, Bytes signature) const;

  bool operator==(const PublicKey& other) const { return der_ == other.der_; }
  std::strong_ordering operator<=>(const PublicKey& other) const {
    return der_ <=> other.der_;
  }

 private:
  PublicKey(KeyType type, std::string der) : type_(type), der_(std::move(der)) {}

  KeyType type_;
  std::string der_;
};

}  // namespace oci
