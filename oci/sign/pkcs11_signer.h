// Pkcs11Signer: a key that never leaves its token, by OpenSSL's provider for PKCS#11.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "oci/registry/secret.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/pkcs11_uri.h"
#include "oci/sign/signer.h"

namespace oci {

// Debian's package pkcs11-provider has the provider (13 and later). The module that knows
// the token is that of the reference, else that of COSIGN_PKCS11_MODULE_PATH, else what
// the provider finds: PKCS11_PROVIDER_MODULE, p11-kit. The PIN is that of the reference,
// else COSIGN_PKCS11_PIN, else `pin`; it is given to the token and to nobody else.
//
// Errc::machine if there is no provider, with the name of the package, or the module does
// not load; not_found if there is no such key, or two; bad_input if it is one that
// PublicKey refuses, or its signature does not verify by it. One thread.
class Pkcs11Signer final : public Signer {
 public:
  Pkcs11Signer(const Pkcs11Uri& uri, const KeyEnvironment& environment,
               const Secret& pin);
  ~Pkcs11Signer() override;

  Signature sign(Bytes payload) override;
  PublicKey public_key() const override;

 private:
  class Token;
  std::unique_ptr<Token> token_;
};

// The public half, for which no PIN is asked.
PublicKey pkcs11_public_key(const Pkcs11Uri& uri, const KeyEnvironment& environment);

}  // namespace oci
