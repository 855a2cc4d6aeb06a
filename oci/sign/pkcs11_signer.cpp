// pkcs11_signer: a library context of its own, so that nothing else is done by a token.
#include "oci/sign/pkcs11_signer.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

#include "oci/base/error.h"
#include "oci/registry/server_error.h"
#include "oci/sign/evp_key.h"

namespace oci {

namespace {

constexpr const char* k_provider = "pkcs11";
constexpr const char* k_by_provider = "?provider=pkcs11";
constexpr int k_max_objects = 64;  // that may match one reference

template <auto Free>
struct Freeing {
  template <class T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};
using Context = std::unique_ptr<OSSL_LIB_CTX, Freeing<OSSL_LIB_CTX_free>>;
using Configuration = std::unique_ptr<CONF, Freeing<NCONF_free>>;
using Memory = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using Dialogue = std::unique_ptr<UI_METHOD, Freeing<UI_destroy_method>>;
using Store = std::unique_ptr<OSSL_STORE_CTX, Freeing<OSSL_STORE_close>>;
using Found = std::unique_ptr<OSSL_STORE_INFO, Freeing<OSSL_STORE_INFO_free>>;
using Hashing = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;

// Empties OpenSSL's list of complaints; the first says most.
std::string complaint() {
  char text[256] = {};
  if (const unsigned long first = ERR_peek_error(); first != 0) {
    ERR_error_string_n(first, text, sizeof text);
  }
  ERR_clear_error();
  return harmless(text, sizeof text);
}

std::string value_of(const KeyEnvironment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

// A line of a configuration is made of it.
std::string module_of(const Pkcs11Uri& uri, const KeyEnvironment& environment) {
  std::string path = uri.module_path();
  if (path.empty()) path = value_of(environment, "COSIGN_PKCS11_MODULE_PATH");
  if (path.empty()) return path;
  if (path.find_first_of("\n\r$#\"'\\`;") != std::string::npos) {
    throw Error(Errc::bad_input, "COSIGN_PKCS11_MODULE_PATH is no plain path");
  }
  std::error_code problem;
  if (std::filesystem::exists(path, problem)) return path;
  throw Error(Errc::not_found,
              fmt::format("there is no PKCS#11 module {}", harmless(path)))
      .add_hint("a module is a library such as /usr/lib/softhsm/libsofthsm2.so");
}

Secret pin_of(const Pkcs11Uri& uri, const KeyEnvironment& environment,
              const Secret& pin) {
  if (uri.has_pin()) return uri.pin();
  const std::string given = value_of(environment, "COSIGN_PKCS11_PIN");
  return given.empty() ? pin : Secret(given);
}

Error no_provider() {
  const std::string why = complaint();
  Error error(Errc::machine, "OpenSSL here has no provider for PKCS#11");
  if (!why.empty()) error.add_note("it says: " + why);
  return error
      .add_note(
          "keys on tokens are used through the package pkcs11-provider, which "
          "Debian has since 13")
      .add_hint("apt install pkcs11-provider");
}

// Only what is configured here is loaded: neither the machine's openssl.cnf nor anything
// that it names.
Context open_provider(const std::string& module) {
  std::string text =
      "openssl_conf = l\n[l]\nproviders = p\n[p]\ndefault = d\npkcs11 = t\n"
      "[d]\nactivate = 1\n[t]\n";
  if (!module.empty()) text += "pkcs11-module-path = " + module + "\n";
  text += "activate = 1\n";
  Context context(OSSL_LIB_CTX_new());
  const Configuration configuration(NCONF_new_ex(context.get(), nullptr));
  const Memory memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  ERR_clear_error();
  long line = 0;
  if (context == nullptr || configuration == nullptr || memory == nullptr ||
      NCONF_load_bio(configuration.get(), memory.get(), &line) != 1) {
    throw Error(Errc::machine, "OpenSSL does not start: " + complaint());
  }
  if (CONF_modules_load(configuration.get(), nullptr, 0) <= 0 ||
      OSSL_PROVIDER_available(context.get(), k_provider) != 1) {
    throw no_provider();
  }
  return context;
}

// Called by OpenSSL: nothing may be thrown here. -1: there is no PIN.
int give_pin(char* into, int size, int /*writing*/, void* data) noexcept {
  const std::string& pin = static_cast<const Secret*>(data)->reveal();
  if (pin.empty() || size < 0 || pin.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(into, pin.data(), pin.size());
  return static_cast<int>(pin.size());
}

Error no_key(const Pkcs11Uri& uri, bool with_pin) {
  const std::string why = complaint();
  Error error(Errc::not_found, fmt::format("no token has the key {}", uri.str()));
  if (!why.empty()) error.add_note("OpenSSL says: " + why);
  return error.add_hint(
      with_pin
          ? "`pkcs11-tool --list-objects --login` shows what is there; the PIN may be "
            "wrong, too"
          : "give the PIN of the token: in COSIGN_PKCS11_PIN, or a file with "
            "`?pin-source=FILE`; and the module with `module-path` or "
            "COSIGN_PKCS11_MODULE_PATH");
}

EvpKey find_key(OSSL_LIB_CTX* context, const Pkcs11Uri& uri, std::string_view type,
                const Secret& pin) {
  ERR_clear_error();
  const Dialogue dialogue(UI_UTIL_wrap_read_pem_callback(give_pin, 0));
  Secret copy = pin;
  const Store store(OSSL_STORE_open_ex(uri.of_type(type).c_str(), context, k_by_provider,
                                       dialogue.get(), &copy, nullptr, nullptr, nullptr));
  if (store == nullptr) throw no_key(uri, !pin.empty());
  EvpKey key;
  for (int i = 0; i < k_max_objects && OSSL_STORE_eof(store.get()) != 1; ++i) {
    const Found found(OSSL_STORE_load(store.get()));
    if (found == nullptr) continue;
    EvpKey one;
    const int kind = OSSL_STORE_INFO_get_type(found.get());
    if (kind == OSSL_STORE_INFO_PKEY) one.reset(OSSL_STORE_INFO_get1_PKEY(found.get()));
    if (kind == OSSL_STORE_INFO_PUBKEY)
      one.reset(OSSL_STORE_INFO_get1_PUBKEY(found.get()));
    if (one == nullptr) continue;
    if (key != nullptr) {
      throw Error(Errc::not_found, "several keys are " + uri.str())
          .add_hint("say which: add `id=`, `object=` or `serial=`");
    }
    key = std::move(one);
  }
  if (key == nullptr) throw no_key(uri, !pin.empty());
  ERR_clear_error();
  return key;
}

// nullopt if the provider cannot write it.
std::optional<PublicKey> public_half(EVP_PKEY* key, const std::string& what) {
  unsigned char* raw = nullptr;
  const int length = i2d_PUBKEY(key, &raw);
  ERR_clear_error();
  if (length <= 0) return std::nullopt;
  const std::string der(reinterpret_cast<const char*>(raw),
                        static_cast<std::size_t>(length));
  OPENSSL_free(raw);
  return PublicKey::from_der(der, what);
}

PublicKey require_public(OSSL_LIB_CTX* context, const Pkcs11Uri& uri, const Secret& pin) {
  const EvpKey key = find_key(context, uri, "public", pin);
  auto half = public_half(key.get(), uri.str());
  if (half) return std::move(*half);
  throw Error(Errc::bad_input, uri.str() + " is a key of a kind that is not known");
}

}  // namespace

// Members go in reverse order: the key before the provider that knows it.
class Pkcs11Signer::Token {
 public:
  Token(const Pkcs11Uri& uri, const KeyEnvironment& environment, const Secret& pin)
      : context_(open_provider(module_of(uri, environment))),
        key_(find_key(context_.get(), uri, "private", pin)),
        public_(public_of(uri, pin)) {}

  std::string sign(Bytes payload) {
    const auto* data = reinterpret_cast<const unsigned char*>(payload.data());
    const char* hash = public_.type() == KeyType::ed25519 ? nullptr : "SHA256";
    const Hashing hashing(EVP_MD_CTX_new());
    std::size_t length = 0;
    std::string signature;
    ERR_clear_error();
    bool made =
        hashing != nullptr &&
        EVP_DigestSignInit_ex(hashing.get(), nullptr, hash, context_.get(), nullptr,
                              key_.get(), nullptr) == 1 &&
        EVP_DigestSign(hashing.get(), nullptr, &length, data, payload.size()) == 1;
    if (made) {
      signature.resize(length);
      made = EVP_DigestSign(hashing.get(),
                            reinterpret_cast<unsigned char*>(signature.data()), &length,
                            data, payload.size()) == 1;
    }
    if (!made) throw Error(Errc::machine, "the token does not sign: " + complaint());
    signature.resize(length);
    return signature;
  }
  const PublicKey& public_key() const { return public_; }

 private:
  PublicKey public_of(const Pkcs11Uri& uri, const Secret& pin) const {
    auto half = public_half(key_.get(), uri.str());
    return half ? std::move(*half) : require_public(context_.get(), uri, pin);
  }

  Context context_;
  EvpKey key_;
  PublicKey public_;
};

Pkcs11Signer::Pkcs11Signer(const Pkcs11Uri& uri, const KeyEnvironment& environment,
                           const Secret& pin)
    : token_(std::make_unique<Token>(uri, environment, pin_of(uri, environment, pin))) {}

Pkcs11Signer::~Pkcs11Signer() = default;

PublicKey Pkcs11Signer::public_key() const {
  return token_->public_key();
}

Signature Pkcs11Signer::sign(Bytes payload) {
  const std::string made = token_->sign(payload);
  const Bytes bytes = as_bytes(made);
  if (!public_key().verifies(payload, bytes)) {
    throw Error(Errc::bad_input,
                "the signature of the token does not verify by its own key")
        .add_note("is the public key on the token another key's?");
  }
  return {{bytes.begin(), bytes.end()}, public_key().hint(), {}};
}

PublicKey pkcs11_public_key(const Pkcs11Uri& uri, const KeyEnvironment& environment) {
  const Context context = open_provider(module_of(uri, environment));
  return require_public(context.get(), uri, Secret());
}

}  // namespace oci
