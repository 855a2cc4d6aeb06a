// sealed_key: scrypt by OpenSSL, secretbox by libsodium.
#include "oci/sign/sealed_key.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/document_node.h"
#include "oci/sign/members.h"
#include "oci/sign/pem.h"

namespace oci {

namespace {

constexpr std::uint64_t k_cost = 65536;
constexpr std::array<std::uint64_t, 3> k_costs = {32768, 65536, 131072};
constexpr std::uint64_t k_block = 8;     // scrypt's r
constexpr std::uint64_t k_parallel = 1;  // scrypt's p
constexpr std::size_t k_salt = 32;
// What the largest cost needs: 128 · N · r, and something for the rest. OpenSSL's own
// limit is below what cosign's keys need.
constexpr std::uint64_t k_max_memory = 160 * 1024 * 1024;

static_assert(crypto_secretbox_KEYBYTES == 32 && crypto_secretbox_NONCEBYTES == 24);

unsigned char* raw(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* raw(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Secret derive(const Secret& passphrase, const std::string& salt, std::uint64_t cost) {
  if (::sodium_init() < 0) throw Error(Errc::machine, "libsodium does not start");
  std::string key(crypto_secretbox_KEYBYTES, '\0');
  const std::string& word = passphrase.reveal();
  if (EVP_PBE_scrypt(word.data(), word.size(), raw(salt), salt.size(), cost, k_block,
                     k_parallel, k_max_memory, raw(key), key.size()) != 1) {
    ERR_clear_error();
    throw Error(Errc::machine, fmt::format("scrypt does not get its {} MiB of memory",
                                           128 * cost * k_block / 1024 / 1024));
  }
  return Secret(std::move(key));
}

void require_text(const DocumentNode& parent, const char* member, std::string_view text) {
  const DocumentNode node = parent.require(member);
  if (node.text() != text) node.refuse(fmt::format("`{}` was expected", text));
}

std::uint64_t read_cost(const DocumentNode& parameters) {
  require_only(parameters, {"N", "r", "p"});
  const DocumentNode cost = parameters.require("N");
  const auto found = static_cast<std::uint64_t>(cost.number());
  if (std::find(k_costs.begin(), k_costs.end(), found) == k_costs.end()) {
    cost.refuse("32768, 65536 or 131072 was expected");
  }
  if (parameters.require("r").number() != static_cast<std::int64_t>(k_block) ||
      parameters.require("p").number() != static_cast<std::int64_t>(k_parallel)) {
    parameters.refuse("r 8 and p 1 were expected");
  }
  return found;
}

std::string sized_bytes(const DocumentNode& parent, const char* member,
                        std::size_t size) {
  std::string bytes = require_bytes(parent, member);
  if (bytes.size() != size) {
    parent.require(member).refuse(fmt::format("{} bytes were expected", size));
  }
  return bytes;
}

}  // namespace

SealedKey SealedKey::parse(std::string_view json, std::string_view what) {
  const nlohmann::json document = parse_json(json, what, k_max_key_file);
  const DocumentNode top(document, std::string(what));
  require_only(top, {"kdf", "cipher", "ciphertext"});
  const DocumentNode kdf = top.require("kdf");
  require_only(kdf, {"name", "params", "salt"});
  require_text(kdf, "name", "scrypt");
  const DocumentNode cipher = top.require("cipher");
  require_only(cipher, {"name", "nonce"});
  require_text(cipher, "name", "nacl/secretbox");
  SealedKey sealed;
  sealed.cost = read_cost(kdf.require("params"));
  sealed.salt = sized_bytes(kdf, "salt", k_salt);
  sealed.nonce = sized_bytes(cipher, "nonce", crypto_secretbox_NONCEBYTES);
  sealed.ciphertext = require_bytes(top, "ciphertext");
  return sealed;
}

std::string SealedKey::str() const {
  return fmt::format(
      R"({{"kdf":{{"name":"scrypt","params":{{"N":{},"r":{},"p":{}}},"salt":"{}"}},)"
      R"("cipher":{{"name":"nacl/secretbox","nonce":"{}"}},"ciphertext":"{}"}})",
      cost, k_block, k_parallel, base64_encode(salt), base64_encode(nonce),
      base64_encode(ciphertext));
}

SealedKey SealedKey::seal(const Secret& plaintext, const Secret& passphrase, Rng& rng) {
  SealedKey sealed;
  sealed.cost = k_cost;
  sealed.salt = rng.bytes(k_salt);
  sealed.nonce = rng.bytes(crypto_secretbox_NONCEBYTES);
  const std::string& clear = plaintext.reveal();
  sealed.ciphertext.resize(clear.size() + crypto_secretbox_MACBYTES);
  const Secret key = derive(passphrase, sealed.salt, sealed.cost);
  if (::crypto_secretbox_easy(raw(sealed.ciphertext), raw(clear), clear.size(),
                              raw(sealed.nonce), raw(key.reveal())) != 0) {
    throw Error(Errc::internal, "a private key cannot be sealed");
  }
  return sealed;
}

Secret SealedKey::open(const Secret& passphrase, std::string_view what) const {
  const Secret key = derive(passphrase, salt, cost);
  std::string clear(ciphertext.size() - std::min<std::size_t>(ciphertext.size(),
                                                              crypto_secretbox_MACBYTES),
                    '\0');
  if (ciphertext.size() < crypto_secretbox_MACBYTES ||
      ::crypto_secretbox_open_easy(raw(clear), raw(ciphertext), ciphertext.size(),
                                   raw(nonce), raw(key.reveal())) != 0) {
    throw Error(Errc::bad_input,
                fmt::format("{} does not open with this passphrase", what))
        .add_note("either the passphrase is another or the file is damaged");
  }
  return Secret(std::move(clear));
}

}  // namespace oci
