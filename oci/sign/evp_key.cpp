// evp_key: the rules about kinds of keys, and the two operations.
#include "oci/sign/evp_key.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr int k_min_rsa_bits = 2048;
constexpr int k_max_rsa_bits = 8192;  // more costs a verifier seconds
constexpr unsigned k_min_exponent = 65537;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

struct FreeNumber {
  void operator()(BIGNUM* number) const noexcept { BN_free(number); }
};
using Number = std::unique_ptr<BIGNUM, FreeNumber>;

const unsigned char* data_of(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Error unfit(std::string_view what, std::string_view finding) {
  return Error(Errc::bad_input, fmt::format("{} is {}", what, finding))
      .add_hint("take an ECDSA key over P-256: `lithify key generate` makes one");
}

std::string text_parameter(EVP_PKEY* key, const char* name) {
  char text[64] = {};
  std::size_t length = 0;
  if (EVP_PKEY_get_utf8_string_param(key, name, text, sizeof text, &length) != 1) {
    return {};
  }
  return {text, length};
}

KeyType curve_of(EVP_PKEY* key, std::string_view what) {
  const std::string curve = text_parameter(key, OSSL_PKEY_PARAM_GROUP_NAME);
  const std::string encoding = text_parameter(key, OSSL_PKEY_PARAM_EC_ENCODING);
  if (encoding != "named_curve") {
    throw unfit(what, "an elliptic curve key without the name of its curve");
  }
  // OpenSSL keeps the form that it read, and the same key would have two fingerprints.
  if (text_parameter(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT) != "uncompressed") {
    throw unfit(what, "a key with a compressed point, which verifiers do not read");
  }
  if (curve == "prime256v1") return KeyType::ecdsa_p256;
  if (curve == "secp384r1") return KeyType::ecdsa_p384;
  if (curve == "secp521r1") return KeyType::ecdsa_p521;
  throw unfit(what, fmt::format("a key over the curve {}: P-256, P-384 and P-521 are "
                                "known to verifiers",
                                curve));
}

KeyType require_good_rsa(EVP_PKEY* key, std::string_view what) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < k_min_rsa_bits || bits > k_max_rsa_bits) {
    throw unfit(what, fmt::format("an RSA key of {} bits: it must have {} to {}", bits,
                                  k_min_rsa_bits, k_max_rsa_bits));
  }
  BIGNUM* raw = nullptr;
  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw);
  const Number exponent(raw);
  if (!exponent || !BN_is_odd(exponent.get()) || BN_num_bits(exponent.get()) > 32 ||
      BN_get_word(exponent.get()) < k_min_exponent) {
    throw unfit(what,
                "an RSA key with a public exponent that verifiers refuse: it must "
                "be 65537");
  }
  return KeyType::rsa;
}

// nullptr: the algorithm hashes by itself.
const EVP_MD* hash_of(KeyType type) {
  return type == KeyType::ed25519 ? nullptr : EVP_sha256();
}

std::string der_of(EVP_PKEY* key) {
  unsigned char* raw = nullptr;
  const int length = i2d_PUBKEY(key, &raw);
  if (length <= 0) {
    ERR_clear_error();
    return {};
  }
  std::string der(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(length));
  OPENSSL_free(raw);
  return der;
}

}  // namespace

void FreeEvpKey::operator()(evp_pkey_st* key) const noexcept {
  EVP_PKEY_free(key);
}

std::string_view key_type_name(KeyType type) {
  switch (type) {
    case KeyType::ecdsa_p256:
      return "ECDSA P-256";
    case KeyType::ecdsa_p384:
      return "ECDSA P-384";
    case KeyType::ecdsa_p521:
      return "ECDSA P-521";
    case KeyType::rsa:
      return "RSA";
    case KeyType::ed25519:
      return "Ed25519";
  }
  throw Error(Errc::internal, "a key of no type");
}

KeyType require_known_key(evp_pkey_st* key, std::string_view what) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return curve_of(key, what);
    case EVP_PKEY_RSA:
      return require_good_rsa(key, what);
    case EVP_PKEY_ED25519:
      return KeyType::ed25519;
    case EVP_PKEY_RSA_PSS:
      throw unfit(what, "an RSA key for PSS, which no verifier of images takes");
    default:
      throw unfit(what, "neither an ECDSA, nor an RSA, nor an Ed25519 key");
  }
}

std::string spki_der(evp_pkey_st* key) {
  std::string der = der_of(key);
  if (der.empty()) throw Error(Errc::internal, "a key without a public half");
  return der;
}

EvpKey parse_spki(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  EvpKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (key == nullptr || der_of(key.get()) != der) return nullptr;
  return key;
}

// OpenSSL's ECDSA takes only DER that it would write itself, and an RSA signature only in
// the full length of the modulus; so there is one spelling of each.
bool verify_with(evp_pkey_st* key, KeyType type, Bytes payload, Bytes signature) {
  const Context context(EVP_MD_CTX_new());
  const bool verified =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, hash_of(type), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), data_of(signature), signature.size(),
                       data_of(payload), payload.size()) == 1;
  ERR_clear_error();
  return verified;
}

std::string sign_with(evp_pkey_st* key, KeyType type, Bytes payload) {
  const Context context(EVP_MD_CTX_new());
  std::size_t length = 0;
  std::string signature;
  bool made =
      context != nullptr &&
      EVP_DigestSignInit(context.get(), nullptr, hash_of(type), nullptr, key) == 1 &&
      EVP_DigestSign(context.get(), nullptr, &length, data_of(payload), payload.size()) ==
          1;
  if (made) {
    signature.resize(length);
    made =
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                       &length, data_of(payload), payload.size()) == 1;
  }
  ERR_clear_error();
  if (!made) throw Error(Errc::internal, "OpenSSL does not sign with this key");
  signature.resize(length);
  return signature;
}

}  // namespace oci
