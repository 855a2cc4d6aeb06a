// Signer: puts a name under bytes. It knows neither images nor networks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "oci/base/digest.h"
#include "oci/sign/public_key.h"

namespace oci {

struct Signature {
  // As verifiers want it for the type of the key: ASN.1 DER for ECDSA, the plain number
  // for RSA (PKCS#1 v1.5), 64 bytes for Ed25519.
  std::vector<std::byte> bytes;
  // How a verifier finds the key: PublicKey::hint(). Never a DSSE `keyid`, which cosign
  // wants empty.
  std::string key_hint;
  std::string certificate_pem;  // empty for a plain key
};

// A key in memory, a program that keeps one, a certificate of an hour: all look alike.
// One thread at a time, unless the implementation says more.
class Signer {
 public:
  virtual ~Signer() = default;
  // Signs `payload` itself; the hash is the signer's business. Throws Error, whose text
  // never has a part of the key.
  virtual Signature sign(Bytes payload) = 0;
  // What verifies the next signature.
  virtual PublicKey public_key() const = 0;
};

}  // namespace oci
