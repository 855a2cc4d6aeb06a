// Private keys: what is read, what is refused, and what is never told.
#include "oci/sign/private_key.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/pem.h"
#include "oci/sign/sealed_key.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using oci::as_bytes;
using oci::Errc;
using oci::Error;
using oci::KeyType;
using oci::PrivateKey;
using oci::PublicKey;
using oci::Secret;

namespace {

const Secret k_none;
const Secret k_word("correct horse");

std::string golden(const std::string& name) {
  return oci::read_file(std::string(LITHIFY_SOURCE_DIR) + "/tests/golden/sign/" + name,
                        1 << 20);
}

PrivateKey read(const std::string& pem, const Secret& word = k_none) {
  return PrivateKey::parse(pem, word, "key.pem");
}

// The text of the failure, notes and hint included; empty if there is none.
std::string refusal(const std::string& pem, const Secret& word = k_none) {
  try {
    read(pem, word);
  } catch (const Error& e) {
    std::string told = e.what();
    for (const std::string& note : e.notes())
      told += "; " + note;
    return told + (e.hint().empty() ? "" : "; " + e.hint());
  }
  return "";
}

bool signs_for(PrivateKey& key, const PublicKey& verifier) {
  const oci::Signature made = key.sign(as_bytes("payload"));
  return verifier.verifies(as_bytes("payload"), made.bytes);
}

// What `openssl` writes for such keys, through its library.
template <class Write>
std::string openssl_pem(Write write) {
  BIO* out = BIO_new(BIO_s_mem());
  REQUIRE(write(out) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(out);
  return pem;
}

oci::EvpKey ec_key(const char* curve) {
  return oci::EvpKey(EVP_EC_gen(curve));
}

std::string pkcs8_of(EVP_PKEY* key) {
  return openssl_pem([&](BIO* out) {
    return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string sealed(const Secret& plaintext, const Secret& word) {
  CountingRng rng;
  return oci::write_pem("ENCRYPTED SIGSTORE PRIVATE KEY",
                        oci::SealedKey::seal(plaintext, word, rng).str());
}

std::string inner(const PrivateKey& key) {
  return oci::parse_pem(key.pkcs8_pem().reveal(), "it").front().bytes.reveal();
}

}  // namespace

TEST_CASE("a key of each kind signs, and comes back from each form") {
  CountingRng rng;
  for (const KeyType type : k_all_key_types) {
    INFO(oci::key_type_name(type));
    PrivateKey& key = key_of(type);
    CHECK(key.public_key().type() == type);
    CHECK(signs_for(key, key.public_key()));
    const std::string forms[] = {key.sealed_pem(k_word, rng), key.pkcs8_pem().reveal(),
                                 key.encrypted_pkcs8_pem(k_word, rng)};
    for (const std::string& form : forms) {
      PrivateKey again = read(form, k_word);
      CHECK(again.public_key() == key.public_key());
      CHECK(signs_for(again, key.public_key()));
    }
    CHECK(PrivateKey::is_encrypted(forms[0], "it"));
    CHECK_FALSE(PrivateKey::is_encrypted(forms[1], "it"));
    CHECK(PrivateKey::is_encrypted(forms[2], "it"));
  }
}

TEST_CASE("keys that OpenSSL wrote are read: SEC1, its parameters before it, PKCS#1") {
  const oci::EvpKey ec = ec_key("P-384");
  const std::string sec1 = openssl_pem([&](BIO* out) {
    return PEM_write_bio_PrivateKey_traditional(out, ec.get(), nullptr, nullptr, 0,
                                                nullptr, nullptr);
  });
  REQUIRE(sec1.starts_with("-----BEGIN EC PRIVATE KEY-----"));
  CHECK(read(sec1).public_key().type() == KeyType::ecdsa_p384);
  const std::string parameters =
      "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n"
      "-----END EC PARAMETERS-----\n";
  CHECK(read(parameters + sec1).public_key() == read(sec1).public_key());

  const std::string rsa = key_of(KeyType::rsa).pkcs8_pem().reveal();
  BIO* in = BIO_new_mem_buf(rsa.data(), static_cast<int>(rsa.size()));
  const oci::EvpKey raw(PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr));
  BIO_free(in);
  const std::string pkcs1 = openssl_pem([&](BIO* out) {
    return PEM_write_bio_PrivateKey_traditional(out, raw.get(), nullptr, nullptr, 0,
                                                nullptr, nullptr);
  });
  REQUIRE(pkcs1.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
  CHECK(read(pkcs1).public_key() == key_of(KeyType::rsa).public_key());
}

TEST_CASE("pitfall 23: keys of cosign open, whose scrypt wants more memory than usual") {
  for (const std::string name : {"p256", "p384", "rsa", "ed25519"}) {
    INFO(name);
    PrivateKey key = read(golden(name + ".key"), Secret("hello"));
    const PublicKey expected = PublicKey::parse(golden(name + ".pub"), name);
    CHECK(key.public_key() == expected);
    CHECK(signs_for(key, expected));
  }
  const std::string before = replaced(replaced(golden("p256.key"), "SIGSTORE", "COSIGN"),
                                      "END ENCRYPTED SIGSTORE", "END ENCRYPTED COSIGN");
  CHECK(read(before, Secret("hello")).public_key() ==
        read(golden("p256.key"), Secret("hello")).public_key());
}

TEST_CASE("pitfall 23: scrypt costs other than cosign's are refused before they cost") {
  CountingRng rng;
  oci::SealedKey key = oci::SealedKey::seal(Secret("x"), k_word, rng);
  for (const std::uint64_t cost : {32768, 65536, 131072}) {
    key.cost = cost;
    CHECK(oci::SealedKey::parse(key.str(), "it") == key);
  }
  for (const std::string cost : {"0", "1", "16384", "65537", "262144", "1073741824",
                                 "9223372036854775808", "65536.0", "\"65536\"", "-1"}) {
    INFO(cost);
    CHECK_THROWS_AS(
        oci::SealedKey::parse(replaced(key.str(), "\"N\":131072", "\"N\":" + cost), "it"),
        Error);
  }
  CHECK_THROWS_AS(oci::SealedKey::parse(replaced(key.str(), "\"r\":8", "\"r\":9"), "it"),
                  Error);
  CHECK_THROWS_AS(oci::SealedKey::parse(replaced(key.str(), "\"p\":1", "\"p\":2"), "it"),
                  Error);
}

TEST_CASE("pitfall 24: inside cosign's PEM only PKCS#8 is a key") {
  const oci::EvpKey ec = ec_key("P-256");
  const std::string sec1 = openssl_pem([&](BIO* out) {
    return PEM_write_bio_PrivateKey_traditional(out, ec.get(), nullptr, nullptr, 0,
                                                nullptr, nullptr);
  });
  const Secret der = oci::parse_pem(sec1, "it").front().bytes;
  CHECK(refusal(sealed(der, k_word), k_word) ==
        "key.pem is damaged: what it holds is no PKCS#8 key");
  std::string longer = inner(key_of(KeyType::ecdsa_p256));
  longer += '\0';
  CHECK_FALSE(refusal(sealed(Secret(longer), k_word), k_word).empty());
}

TEST_CASE("pitfall 25: a plain key becomes one that cosign takes") {
  CountingRng rng;
  PrivateKey key = read(key_of(KeyType::ecdsa_p256).pkcs8_pem().reveal());
  const std::string pem = key.sealed_pem(k_none, rng);
  CHECK(pem.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJrZGYi"));
  const std::string json = oci::parse_pem(pem, "it").front().bytes.reveal();
  CHECK(json.starts_with(
      R"({"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"AAECAwQF)"));
  CHECK(read(pem, k_none).public_key() == key.public_key());
  CHECK_FALSE(refusal(pem, k_word).empty());
}

TEST_CASE("a wrong passphrase and a damaged file look the same, and tell nothing") {
  CountingRng rng;
  const PrivateKey& key = key_of(KeyType::ecdsa_p256);
  const std::string told =
      "key.pem does not open with this passphrase; either the "
      "passphrase is another or the file is damaged";
  CHECK(refusal(key.sealed_pem(k_word, rng), Secret("battery staple")) == told);
  CHECK(refusal(key.encrypted_pkcs8_pem(k_word, rng), Secret("battery staple")) == told);
  oci::SealedKey spoilt = oci::SealedKey::seal(Secret(inner(key)), k_word, rng);
  spoilt.ciphertext.back() ^= 1;
  CHECK(refusal(oci::write_pem("ENCRYPTED SIGSTORE PRIVATE KEY", spoilt.str()), k_word) ==
        told);
  spoilt.ciphertext.resize(15);
  CHECK(refusal(oci::write_pem("ENCRYPTED SIGSTORE PRIVATE KEY", spoilt.str()), k_word) ==
        told);
}

TEST_CASE("a sealed key with a member twice, one more or one less is refused") {
  CountingRng rng;
  const std::string json = oci::SealedKey::seal(Secret("x"), k_word, rng).str();
  const std::pair<const char*, const char*> spoilt[] = {
      {R"({"kdf":)", R"({"ciphertext":"AAAA","kdf":)"},
      {R"({"kdf":)", R"({"extra":1,"kdf":)"},
      {R"("name":"scrypt",)", ""},
      {"scrypt", "pbkdf2"},
      {"nacl/secretbox", "aes-256-gcm"},
      {"\"salt\":\"AAEC", "\"salt\":\"AAE"},
      {"\"nonce\":\"IC", "\"nonce\":\"AAAAIC"},
  };
  for (const auto& [from, to] : spoilt) {
    INFO(to);
    CHECK_THROWS_AS(oci::SealedKey::parse(replaced(json, from, to), "it"), Error);
  }
}

TEST_CASE("keys that verifiers refuse are refused before they sign") {
  CHECK(refusal(pkcs8_of(ec_key("secp256k1").get()))
            .starts_with("key.pem is a key over the curve secp256k1: P-256, P-384 and "
                         "P-521 are known"));
  CHECK(
      refusal(pkcs8_of(oci::EvpKey(EVP_RSA_gen(1024)).get()))
          .starts_with("key.pem is an RSA key of 1024 bits: it must have 2048 to 8192"));
  const oci::EvpKey x25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  CHECK(refusal(pkcs8_of(x25519.get()))
            .starts_with("key.pem is neither an ECDSA, nor an RSA, nor an Ed25519 key"));
  const oci::EvpKey explicit_curve = ec_key("P-256");
  EVP_PKEY_set_utf8_string_param(explicit_curve.get(), "encoding", "explicit");
  CHECK_FALSE(refusal(pkcs8_of(explicit_curve.get())).empty());
}

TEST_CASE("two keys in one file, half a file and other files are refused") {
  const std::string pem = key_of(KeyType::ecdsa_p256).pkcs8_pem().reveal();
  CHECK(refusal(pem + pem) == "key.pem has 2 PEM blocks: one key was expected");
  CHECK(refusal(pem.substr(0, pem.size() / 2)) ==
        "key.pem ends before its END line: it is cut off");
  CHECK(refusal(replaced(pem, "END PRIVATE", "END EC PRIVATE")) ==
        "key.pem begins as one thing and ends as another");
  CHECK(refusal("hello") ==
        "key.pem has no PEM block: a line like -----BEGIN PUBLIC "
        "KEY----- is missing");
  CHECK(refusal(std::string(70'000, 'x')) ==
        "key.pem has 70000 bytes, more than the 65536 a key may have");
  CHECK(refusal(key_of(KeyType::ecdsa_p256).public_key().pem()) ==
        "key.pem is no private key; it is the public half, with which nobody can sign");
  CHECK(refusal("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n"
                "-----END EC PRIVATE KEY-----\n")
            .find("openssl pkcs8 -topk8") != std::string::npos);
}

TEST_CASE("an encryption that asks for hours of work is refused at once") {
  CountingRng rng;
  const std::string pem = key_of(KeyType::ecdsa_p256).encrypted_pkcs8_pem(k_word, rng);
  std::string der = oci::parse_pem(pem, "it").front().bytes.reveal();
  const std::size_t at = der.find(std::string("\x02\x03\x09\x27\xc0", 5));
  REQUIRE(at != std::string::npos);  // the 600,000 rounds
  der.replace(at, 5, std::string("\x02\x03\x7f\xff\xff", 5));
  CHECK(refusal(oci::write_pem("ENCRYPTED PRIVATE KEY", der), k_word)
            .starts_with("key.pem is encrypted in a way that is not taken"));
}

TEST_CASE("no error has a part of a key or a passphrase") {
  const std::string pem = key_of(KeyType::ecdsa_p256).pkcs8_pem().reveal();
  const std::string body = pem.substr(pem.find('\n') + 1, 60);
  for (const std::string& spoilt :
       {pem.substr(0, 100), replaced(pem, body.substr(0, 8), "!!!!!!!!"),
        replaced(pem, body.substr(0, 8), "AAAAAAAA"), pem + pem}) {
    const std::string told = refusal(spoilt, k_word);
    CHECK_FALSE(told.empty());
    CHECK(told.find(body.substr(10, 12)) == std::string::npos);
    CHECK(told.find(k_word.reveal()) == std::string::npos);
  }
}

TEST_CASE("a key is a file or a variable, and nothing else") {
  TemporaryDirectory directory;
  const std::string file = (directory.path() / "a.pub").string();
  const PublicKey key = key_of(KeyType::ecdsa_p256).public_key();
  oci::write_file_atomically(file, key.pem());
  CHECK(oci::read_public_key(file, {}) == key);
  CHECK(oci::read_public_key("env://KEY", {{"KEY", key.pem()}}) == key);
  const auto code = [](const std::string& reference) {
    try {
      oci::read_public_key(reference, {});
    } catch (const Error& e) {
      return e.code();
    }
    return Errc::internal;
  };
  CHECK(code("env://KEY") == Errc::not_found);
  CHECK(code(file + "x") == Errc::not_found);
  CHECK(code("absent-kms://alias/x") == Errc::not_found);
  CHECK(code("a b://x") == Errc::bad_input);
  CHECK(code("pkcs11:type=private") == Errc::bad_input);
  CHECK(code(directory.path().string()) == Errc::bad_input);
  oci::write_file_atomically(file, std::string(oci::k_max_key_file + 1, ' '));
  CHECK(code(file) == Errc::bad_input);
}
