// pkcs8: OpenSSL's structures, with bounds on what a file may ask of us.
#include "oci/sign/pkcs8.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr std::int64_t k_max_rounds = 5'000'000;
constexpr std::int64_t k_max_scrypt_work = std::int64_t{131072} * 8;  // N · r · p
constexpr int k_rounds = 600'000;

template <class T, void (*free_it)(T*)>
struct Free {
  void operator()(T* thing) const noexcept { free_it(thing); }
};
template <class T, void (*free_it)(T*)>
using Handle = std::unique_ptr<T, Free<T, free_it>>;

using Encrypted = Handle<X509_SIG, X509_SIG_free>;
using Plain = Handle<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using Pbes2 = Handle<PBE2PARAM, PBE2PARAM_free>;
using Pbkdf2 = Handle<PBKDF2PARAM, PBKDF2PARAM_free>;
using Scrypt = Handle<SCRYPT_PARAMS, SCRYPT_PARAMS_free>;

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Calls a d2i function of OpenSSL; null unless it takes all of `der`.
template <class Owner, class Read>
Owner read_whole(std::string_view der, Read read) {
  const unsigned char* at = raw(der);
  Owner thing(read(&at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (thing != nullptr && at != raw(der) + der.size()) thing.reset();
  return thing;
}

// The DER inside a parameter of an algorithm.
template <class Owner, class Read>
Owner read_parameter(const ASN1_TYPE* parameter, Read read) {
  if (parameter == nullptr || ASN1_TYPE_get(parameter) != V_ASN1_SEQUENCE) return nullptr;
  const ASN1_STRING* der = parameter->value.sequence;
  return read_whole<Owner>({reinterpret_cast<const char*>(ASN1_STRING_get0_data(der)),
                            static_cast<std::size_t>(ASN1_STRING_length(der))},
                           read);
}

// -1 for what does not fit.
std::int64_t number_of(const ASN1_INTEGER* integer) {
  std::int64_t value = -1;
  if (integer == nullptr || ASN1_INTEGER_get_int64(&value, integer) != 1) {
    ERR_clear_error();
    return -1;
  }
  return value;
}

bool is_bounded(const X509_ALGOR& derivation) {
  const int name = OBJ_obj2nid(derivation.algorithm);
  if (name == NID_id_pbkdf2) {
    const auto given = read_parameter<Pbkdf2>(
        derivation.parameter,
        [](auto at, long size) { return d2i_PBKDF2PARAM(nullptr, at, size); });
    const std::int64_t rounds = given ? number_of(given->iter) : -1;
    return rounds > 0 && rounds <= k_max_rounds;
  }
  if (name == NID_id_scrypt) {
    const auto given = read_parameter<Scrypt>(
        derivation.parameter,
        [](auto at, long size) { return d2i_SCRYPT_PARAMS(nullptr, at, size); });
    if (given == nullptr) return false;
    std::int64_t left = k_max_scrypt_work;
    for (const ASN1_INTEGER* factor :
         {given->costParameter, given->blockSize, given->parallelizationParameter}) {
      const std::int64_t value = number_of(factor);
      if (value < 1 || value > left) return false;
      left /= value;
    }
    return true;
  }
  return false;
}

void require_bounded(const X509_SIG& encrypted, std::string_view what) {
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(&encrypted, &algorithm, nullptr);
  const bool known = OBJ_obj2nid(algorithm->algorithm) == NID_pbes2;
  const auto given = read_parameter<Pbes2>(
      known ? algorithm->parameter : nullptr,
      [](auto at, long size) { return d2i_PBE2PARAM(nullptr, at, size); });
  if (given == nullptr || !is_bounded(*given->keyfunc)) {
    throw Error(Errc::bad_input,
                fmt::format("{} is encrypted in a way that is not taken", what))
        .add_note(
            "PBES2 is, with at most five million rounds of PBKDF2 or 128 MiB of "
            "scrypt")
        .add_hint("convert it: openssl pkcs8 -topk8 -in OLD -out NEW");
  }
}

// Takes what a call of OpenSSL has allocated, and wipes that.
Secret take(unsigned char* bytes, int length) {
  ERR_clear_error();
  if (length <= 0) throw Error(Errc::internal, "a private key cannot be written");
  Secret secret(std::string(reinterpret_cast<char*>(bytes), std::size_t(length)));
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(length));
  return secret;
}

}  // namespace

EvpKey parse_pkcs8(std::string_view der) {
  const auto info = read_whole<Plain>(
      der, [](auto at, long size) { return d2i_PKCS8_PRIV_KEY_INFO(nullptr, at, size); });
  if (info == nullptr) return nullptr;
  EvpKey key(EVP_PKCS82PKEY(info.get()));
  ERR_clear_error();
  return key;
}

EvpKey parse_sec1(std::string_view der) {
  return read_whole<EvpKey>(der, [](auto at, long size) {
    return d2i_PrivateKey(EVP_PKEY_EC, nullptr, at, size);
  });
}

EvpKey parse_pkcs1(std::string_view der) {
  return read_whole<EvpKey>(der, [](auto at, long size) {
    return d2i_PrivateKey(EVP_PKEY_RSA, nullptr, at, size);
  });
}

Secret decrypt_pkcs8(std::string_view der, const Secret& passphrase,
                     std::string_view what) {
  const auto encrypted = read_whole<Encrypted>(
      der, [](auto at, long size) { return d2i_X509_SIG(nullptr, at, size); });
  if (encrypted == nullptr) {
    throw Error(Errc::bad_input, fmt::format("{} is damaged: it is no PKCS#8", what));
  }
  require_bounded(*encrypted, what);
  const std::string& word = passphrase.reveal();
  const Plain info(
      PKCS8_decrypt(encrypted.get(), word.data(), static_cast<int>(word.size())));
  ERR_clear_error();
  if (info == nullptr) {
    throw Error(Errc::bad_input,
                fmt::format("{} does not open with this passphrase", what))
        .add_note("either the passphrase is another or the file is damaged");
  }
  unsigned char* bytes = nullptr;
  const int length = i2d_PKCS8_PRIV_KEY_INFO(info.get(), &bytes);
  return take(bytes, length);
}

Secret write_pkcs8(evp_pkey_st* key) {
  const Plain info(EVP_PKEY2PKCS8(key));
  unsigned char* bytes = nullptr;
  const int length = info ? i2d_PKCS8_PRIV_KEY_INFO(info.get(), &bytes) : -1;
  return take(bytes, length);
}

std::string encrypt_pkcs8(evp_pkey_st* key, const Secret& passphrase, Rng& rng) {
  const Plain info(EVP_PKEY2PKCS8(key));
  std::string salt = rng.bytes(16);
  std::string iv = rng.bytes(16);
  X509_ALGOR* algorithm = PKCS5_pbe2_set_iv(
      EVP_aes_256_cbc(), k_rounds, reinterpret_cast<unsigned char*>(salt.data()),
      static_cast<int>(salt.size()), reinterpret_cast<unsigned char*>(iv.data()),
      NID_hmacWithSHA256);
  const std::string& word = passphrase.reveal();
  // Takes `algorithm` if it succeeds.
  const Encrypted encrypted(info == nullptr || algorithm == nullptr
                                ? nullptr
                                : PKCS8_set0_pbe(word.data(),
                                                 static_cast<int>(word.size()),
                                                 info.get(), algorithm));
  if (encrypted == nullptr) X509_ALGOR_free(algorithm);
  unsigned char* bytes = nullptr;
  const int length = encrypted ? i2d_X509_SIG(encrypted.get(), &bytes) : -1;
  return take(bytes, length).reveal();
}

}  // namespace oci
