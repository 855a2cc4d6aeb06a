// private_key: which PEM holds which form, and signatures that were checked once.
#include "oci/sign/private_key.h"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "oci/base/error.h"
#include "oci/sign/pem.h"
#include "oci/sign/pkcs8.h"
#include "oci/sign/sealed_key.h"

namespace oci {

namespace {

constexpr std::string_view k_sealed = "ENCRYPTED SIGSTORE PRIVATE KEY";
constexpr std::string_view k_sealed_before = "ENCRYPTED COSIGN PRIVATE KEY";
constexpr std::string_view k_pkcs8 = "PRIVATE KEY";
constexpr std::string_view k_pkcs8_encrypted = "ENCRYPTED PRIVATE KEY";
constexpr std::string_view k_sec1 = "EC PRIVATE KEY";
constexpr std::string_view k_pkcs1 = "RSA PRIVATE KEY";
constexpr std::size_t k_rsa_bits = 3072;

bool is_sealed(std::string_view label) {
  return label == k_sealed || label == k_sealed_before;
}

Error wrong_block(std::string_view what, std::string_view label) {
  Error error(Errc::bad_input, fmt::format("{} is no private key", what));
  if (label == "PUBLIC KEY") {
    error.add_note("it is the public half, with which nobody can sign");
  } else if (label == "OPENSSH PRIVATE KEY") {
    error.add_note("it is a key of OpenSSH, in a form of its own");
    error.add_hint("convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY");
  } else {
    error.add_note("cosign's key, PKCS#8, SEC1 or PKCS#1 in PEM was expected");
  }
  return error;
}

// The one block with a key. openssl ecparam puts the name of the curve before it, which
// the key repeats.
PemBlock key_block(std::string_view pem, std::string_view what) {
  std::vector<PemBlock> blocks = parse_pem(pem, what);
  std::erase_if(blocks, [](const PemBlock& b) { return b.label == "EC PARAMETERS"; });
  if (blocks.empty()) throw wrong_block(what, "EC PARAMETERS");
  if (blocks.size() != 1) {
    throw Error(Errc::bad_input, fmt::format("{} has {} PEM blocks: one key was expected",
                                             what, blocks.size()));
  }
  const std::string_view label = blocks.front().label;
  if (!is_sealed(label) && label != k_pkcs8 && label != k_pkcs8_encrypted &&
      label != k_sec1 && label != k_pkcs1) {
    throw wrong_block(what, label);
  }
  return std::move(blocks.front());
}

EvpKey open_block(const PemBlock& block, const Secret& passphrase,
                  std::string_view what) {
  const std::string& bytes = block.bytes.reveal();
  if (block.label == k_pkcs8) return parse_pkcs8(bytes);
  if (block.label == k_sec1) return parse_sec1(bytes);
  if (block.label == k_pkcs1) return parse_pkcs1(bytes);
  if (block.label == k_pkcs8_encrypted) {
    return parse_pkcs8(decrypt_pkcs8(bytes, passphrase, what).reveal());
  }
  const SealedKey sealed = SealedKey::parse(bytes, what);
  return parse_pkcs8(sealed.open(passphrase, what).reveal());
}

EVP_PKEY* generate_raw(KeyType type) {
  switch (type) {
    case KeyType::ecdsa_p256:
      return EVP_EC_gen("P-256");
    case KeyType::ecdsa_p384:
      return EVP_EC_gen("P-384");
    case KeyType::ecdsa_p521:
      return EVP_EC_gen("P-521");
    case KeyType::rsa:
      return EVP_RSA_gen(k_rsa_bits);
    case KeyType::ed25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  }
  return nullptr;
}

PublicKey public_half(evp_pkey_st* key, std::string_view what) {
  require_known_key(key, what);
  return PublicKey::from_der(spki_der(key), what);
}

}  // namespace

PrivateKey::PrivateKey(EvpKey key, std::string_view what)
    : key_(std::move(key)), public_(public_half(key_.get(), what)) {
  const Bytes probe = as_bytes("do both halves fit?");
  const std::string signature = sign_with(key_.get(), public_.type(), probe);
  if (!public_.verifies(probe, as_bytes(signature))) {
    throw Error(Errc::bad_input,
                fmt::format("{} is damaged: its halves do not fit", what));
  }
}

PrivateKey PrivateKey::generate(KeyType type) {
  EvpKey key(generate_raw(type));
  if (key == nullptr) {
    ERR_clear_error();
    throw Error(Errc::machine,
                fmt::format("OpenSSL here makes no {} key", key_type_name(type)));
  }
  return {std::move(key), "the new key"};
}

PrivateKey PrivateKey::parse(std::string_view pem, const Secret& passphrase,
                             std::string_view what) {
  const PemBlock block = key_block(pem, what);
  EvpKey key = open_block(block, passphrase, what);
  if (key == nullptr) {
    throw Error(Errc::bad_input,
                fmt::format("{} is damaged: what it holds is no {}", what,
                            is_sealed(block.label) ? "PKCS#8 key" : block.label));
  }
  return {std::move(key), what};
}

bool PrivateKey::is_encrypted(std::string_view pem, std::string_view what) {
  const PemBlock block = key_block(pem, what);
  return is_sealed(block.label) || block.label == k_pkcs8_encrypted;
}

// What leaves here verifies: a fault of the machine during an RSA signature would
// otherwise give the key away.
Signature PrivateKey::sign(Bytes payload) {
  const std::string made = sign_with(key_.get(), public_.type(), payload);
  const Bytes bytes = as_bytes(made);
  if (!public_.verifies(payload, bytes)) {
    throw Error(Errc::machine, "a signature came out wrong: this machine miscalculates");
  }
  return {{bytes.begin(), bytes.end()}, public_.hint(), {}};
}

Secret PrivateKey::pkcs8_der() const {
  return write_pkcs8(key_.get());
}

std::string PrivateKey::sealed_pem(const Secret& passphrase, Rng& rng) const {
  return write_pem(k_sealed, SealedKey::seal(pkcs8_der(), passphrase, rng).str());
}

Secret PrivateKey::pkcs8_pem() const {
  return Secret(write_pem(k_pkcs8, pkcs8_der().reveal()));
}

std::string PrivateKey::encrypted_pkcs8_pem(const Secret& passphrase, Rng& rng) const {
  return write_pem(k_pkcs8_encrypted, encrypt_pkcs8(key_.get(), passphrase, rng));
}

}  // namespace oci
