#include "oci/base/digest.h"

#include <cstring>

#include <openssl/evp.h>

#include "oci/base/error.h"

namespace oci {

namespace {

// EVP_sha256() costs a provider lookup per context in OpenSSL 3; fetching once does not.
const EVP_MD* sha256() {
  static EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (md == nullptr) throw Error(Errc::internal, "OpenSSL offers no SHA-256");
  return md;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

struct Hasher::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() {
    if (context == nullptr || EVP_DigestInit_ex2(context, sha256(), nullptr) != 1) {
      throw Error(Errc::internal, "cannot start a SHA-256");
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(Bytes data) {
  if (EVP_DigestUpdate(state_->context, data.data(), data.size()) != 1) {
    throw Error(Errc::internal, "SHA-256 refused its input");
  }
}

Digest Hasher::finish() && {
  std::array<std::byte, 32> raw{};
  unsigned length = 0;
  if (EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(raw.data()),
                         &length) != 1 ||
      length != raw.size()) {
    throw Error(Errc::internal, "SHA-256 did not finish");
  }
  return Digest(raw);
}

Digest Digest::of(Bytes data) {
  Hasher hasher;
  hasher.update(data);
  return std::move(hasher).finish();
}

std::optional<Digest> Digest::parse(std::string_view text) {
  constexpr std::string_view k_prefix = "sha256:";
  if (!text.starts_with(k_prefix)) return std::nullopt;
  return parse_hex(text.substr(k_prefix.size()));
}

std::optional<Digest> Digest::parse_hex(std::string_view hex) {
  std::array<std::byte, 32> raw{};
  if (hex.size() != raw.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    raw[i] = static_cast<std::byte>(high << 4 | low);
  }
  return Digest(raw);
}

std::string Digest::hex() const {
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::string text(2 * sha256_.size(), '0');
  for (std::size_t i = 0; i < sha256_.size(); ++i) {
    text[2 * i] = k_digits[std::to_integer<unsigned>(sha256_[i]) >> 4];
    text[2 * i + 1] = k_digits[std::to_integer<unsigned>(sha256_[i]) & 15];
  }
  return text;
}

std::string Digest::str() const {
  return "sha256:" + hex();
}
std::string Digest::brief() const {
  return hex().substr(0, 8) + "…";
}

}  // namespace oci

std::size_t std::hash<oci::Digest>::operator()(const oci::Digest& digest) const noexcept {
  std::size_t value = 0;  // a digest's first bytes are as good a hash as any
  std::memcpy(&value, digest.raw().data(), sizeof value);
  return value;
}
