// public_key: one PEM block, one DER value.
#include "oci/sign/public_key.h"

#include <fmt/format.h>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/sign/pem.h"

namespace oci {

namespace {

constexpr std::string_view k_label = "PUBLIC KEY";

Error wrong_block(std::string_view what, std::string_view label) {
  Error error(Errc::bad_input, fmt::format("{} is no public key", what));
  if (label.ends_with("PRIVATE KEY")) {
    error.add_note("it holds a private key, which does not belong where verifiers look");
    error.add_hint("write the public half: lithify key public");
  } else if (label == "CERTIFICATE") {
    error.add_hint("take its key: openssl x509 -pubkey -noout -in FILE");
  } else if (label == "RSA PUBLIC KEY") {
    error.add_hint("convert it: openssl rsa -RSAPublicKey_in -pubout -in OLD -out NEW");
  } else {
    error.add_note("a PEM block `PUBLIC KEY` was expected");
  }
  return error;
}

}  // namespace

PublicKey PublicKey::parse(std::string_view pem, std::string_view what) {
  const std::vector<PemBlock> blocks = parse_pem(pem, what);
  if (blocks.front().label != k_label) throw wrong_block(what, blocks.front().label);
  if (blocks.size() != 1) {
    throw Error(Errc::bad_input, fmt::format("{} has {} PEM blocks: one key was expected",
                                             what, blocks.size()));
  }
  return from_der(blocks.front().bytes.reveal(), what);
}

PublicKey PublicKey::from_der(std::string_view spki, std::string_view what) {
  const EvpKey key = parse_spki(spki);
  if (key == nullptr) {
    throw Error(Errc::bad_input,
                fmt::format("{} is damaged: its bytes are no public key", what));
  }
  const KeyType type = require_known_key(key.get(), what);
  return {type, std::string(spki)};
}

std::string PublicKey::pem() const {
  return write_pem(k_label, der_);
}

std::string PublicKey::hint() const {
  const Digest digest = fingerprint();
  return base64_encode(
      {reinterpret_cast<const char*>(digest.raw().data()), digest.raw().size()});
}

std::string PublicKey::caution() const {
  if (type_ != KeyType::ed25519) return {};
  return "an Ed25519 key works without a transparency log only, and cosign 3 cannot "
         "verify its own signatures by one: a key over P-256 has no such trouble";
}

bool PublicKey::verifies(Bytes payload, Bytes signature) const {
  const EvpKey key = parse_spki(der_);
  if (key == nullptr) throw Error(Errc::internal, "a public key that does not parse");
  return verify_with(key.get(), type_, payload, signature);
}

}  // namespace oci
