// Public keys: one spelling each, and the algorithms that verifiers agree about.
#include "oci/sign/public_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/sign/pem.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"

using oci::as_bytes;
using oci::Bytes;
using oci::Error;
using oci::KeyType;
using oci::PublicKey;

namespace {

const std::string k_payload = "what is signed";

std::string spki(EVP_PKEY* key) {
  unsigned char* raw = nullptr;
  const int size = i2d_PUBKEY(key, &raw);
  std::string der(reinterpret_cast<char*>(raw), static_cast<std::size_t>(size));
  OPENSSL_free(raw);
  return der;
}

bool is_refused(const std::string& der) {
  try {
    PublicKey::from_der(der, "it");
    return false;
  } catch (const Error& e) {
    CHECK(e.code() == oci::Errc::bad_input);
    return true;
  }
}

// A signature of `key` in a way that a verifier could be talked into.
std::string signed_otherwise(oci::PrivateKey& key, const EVP_MD* hash, int padding) {
  const std::string pem = key.pkcs8_pem().reveal();
  const std::string der = oci::parse_pem(pem, "it").front().bytes.reveal();
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const oci::EvpKey raw(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* settings = nullptr;
  REQUIRE(EVP_DigestSignInit(context, &settings, hash, nullptr, raw.get()) == 1);
  if (padding != 0) REQUIRE(EVP_PKEY_CTX_set_rsa_padding(settings, padding) == 1);
  std::size_t size = 0;
  const auto* text = reinterpret_cast<const unsigned char*>(k_payload.data());
  REQUIRE(EVP_DigestSign(context, nullptr, &size, text, k_payload.size()) == 1);
  std::string made(size, '\0');
  REQUIRE(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(made.data()), &size,
                         text, k_payload.size()) == 1);
  made.resize(size);
  EVP_MD_CTX_free(context);
  return made;
}

bool verifies(oci::PrivateKey& key, const std::string& signature) {
  return key.public_key().verifies(as_bytes(k_payload), as_bytes(signature));
}

}  // namespace

TEST_CASE("a public key reads back from its PEM, and has cosign's hint") {
  for (const KeyType type : k_all_key_types) {
    const PublicKey key = key_of(type).public_key();
    CHECK(PublicKey::parse(key.pem(), "it") == key);
  }
  const PublicKey golden = PublicKey::parse(
      oci::read_file(std::string(LITHIFY_SOURCE_DIR) + "/tests/golden/sign/p256.pub",
                     1 << 20),
      "p256.pub");
  CHECK(golden.hint() == "egZ6ryKHzgz1wInrM6ChqlW2niP6xypd94r70f0poPc=");
  CHECK(golden.der().size() == 91);
  CHECK(key_of(KeyType::ed25519).public_key().der().size() == 44);
}

TEST_CASE("a public key has one spelling: no bytes behind it, no compressed point") {
  const std::string der = key_of(KeyType::ecdsa_p256).public_key().der();
  CHECK_FALSE(is_refused(der));
  CHECK(is_refused(der + '\0'));
  CHECK(is_refused(der.substr(0, der.size() - 1)));
  CHECK(is_refused(""));
  const oci::EvpKey key(EVP_EC_gen("P-256"));
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                 "compressed");
  CHECK(is_refused(spki(key.get())));
  std::string outside = der;
  outside.back() = static_cast<char>(outside.back() ^ 1);
  CHECK(is_refused(outside));  // no point of the curve
}

TEST_CASE("public keys that verifiers refuse are refused") {
  CHECK(is_refused(spki(oci::EvpKey(EVP_EC_gen("secp256k1")).get())));
  CHECK(is_refused(spki(oci::EvpKey(EVP_RSA_gen(1024)).get())));
  CHECK(
      is_refused(spki(oci::EvpKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")).get())));
}

TEST_CASE("a public key file holds one public key and nothing that is secret") {
  const std::string pem = key_of(KeyType::ecdsa_p256).public_key().pem();
  const auto told = [](const std::string& text) -> std::string {
    try {
      PublicKey::parse(text, "a.pub");
    } catch (const Error& e) {
      return e.what() + (e.hint().empty() ? "" : "; " + e.hint());
    }
    return "";
  };
  CHECK(told("# a comment\n" + pem + "\n").empty());
  CHECK(told(pem + pem) == "a.pub has 2 PEM blocks: one key was expected");
  CHECK(told(key_of(KeyType::ecdsa_p256).pkcs8_pem().reveal()) ==
        "a.pub is no public key; write the public half: lithify key public");
  CHECK(told(replaced(replaced(pem, "PUBLIC KEY", "CERTIFICATE"), "END PUBLIC KEY",
                      "END CERTIFICATE")) ==
        "a.pub is no public key; take its key: openssl x509 -pubkey -noout -in FILE");
}

TEST_CASE("pitfall 6: SHA-384 for P-384, RSA-PSS and other hashes do not verify") {
  oci::PrivateKey& p384 = key_of(KeyType::ecdsa_p384);
  CHECK(verifies(p384, signed_otherwise(p384, EVP_sha256(), 0)));
  CHECK_FALSE(verifies(p384, signed_otherwise(p384, EVP_sha384(), 0)));
  oci::PrivateKey& rsa = key_of(KeyType::rsa);
  CHECK(verifies(rsa, signed_otherwise(rsa, EVP_sha256(), RSA_PKCS1_PADDING)));
  CHECK_FALSE(verifies(rsa, signed_otherwise(rsa, EVP_sha256(), RSA_PKCS1_PSS_PADDING)));
  CHECK_FALSE(verifies(rsa, signed_otherwise(rsa, EVP_sha512(), RSA_PKCS1_PADDING)));
  CHECK_FALSE(verifies(rsa, signed_otherwise(rsa, EVP_sha1(), RSA_PKCS1_PADDING)));
}

TEST_CASE("pitfall 26: Ed25519 signs the payload itself, and says what it is not for") {
  oci::PrivateKey& key = key_of(KeyType::ed25519);
  CHECK(verifies(key, signed_otherwise(key, nullptr, 0)));
  CHECK(key.sign(as_bytes(k_payload)).bytes == key.sign(as_bytes(k_payload)).bytes);
  CHECK_FALSE(key.public_key().caution().empty());
  CHECK(key_of(KeyType::ecdsa_p256).public_key().caution().empty());
}

TEST_CASE("pitfall 27: ECDSA signatures are DER, exactly, and not two numbers in a row") {
  oci::PrivateKey& key = key_of(KeyType::ecdsa_p256);
  const std::string der = signed_otherwise(key, EVP_sha256(), 0);
  REQUIRE(verifies(key, der));
  CHECK_FALSE(verifies(key, der + '\0'));
  CHECK_FALSE(verifies(key, der.substr(0, der.size() - 1)));
  CHECK_FALSE(verifies(key, ""));
  // The length of the sequence in the long form.
  std::string longer = der;
  longer.insert(1, "\x81");
  CHECK_FALSE(verifies(key, longer));
  CHECK_FALSE(verifies(key, std::string(64, '\x01')));
}

TEST_CASE("a signature is for one payload and one key") {
  for (const KeyType type : k_all_key_types) {
    oci::PrivateKey& key = key_of(type);
    const oci::Signature made = key.sign(as_bytes(k_payload));
    CHECK(made.key_hint == key.public_key().hint());
    CHECK(key.public_key().verifies(as_bytes(k_payload), made.bytes));
    CHECK_FALSE(key.public_key().verifies(as_bytes(k_payload + "."), made.bytes));
    for (const KeyType other : k_all_key_types) {
      if (other == type) continue;
      CHECK_FALSE(key_of(other).public_key().verifies(as_bytes(k_payload), made.bytes));
    }
    auto spoilt = made.bytes;
    spoilt[spoilt.size() / 2] ^= std::byte{1};
    CHECK_FALSE(key.public_key().verifies(as_bytes(k_payload), spoilt));
  }
}
