// Digest: the name of a blob, computed from its bytes and from nothing else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace oci {

using Bytes = std::span<const std::byte>;

// Views text as bytes, without a copy.
inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// An immutable SHA-256. There is no empty Digest: a maybe-digest is a std::optional.
class Digest {
 public:
  static Digest of(Bytes data);
  static Digest of(std::string_view text) { return of(as_bytes(text)); }
  // Accepts "sha256:" and 64 lower-case hex digits, and nothing else (OCI image-spec,
  // descriptor.md; other registered algorithms are refused for now).
  static std::optional<Digest> parse(std::string_view text);
  // The same without the algorithm, as Debian's indexes write it.
  static std::optional<Digest> parse_hex(std::string_view hex);
  // One that raw() gave before, kept in binary by a cache.
  static Digest from_raw(const std::array<std::byte, 32>& sha256) {
    return Digest(sha256);
  }

  std::string str() const;    // the wire form, "sha256:9f86d0…"
  std::string hex() const;    // 64 digits, for file names
  std::string brief() const;  // for people, "9f86d081…"; never for files or keys
  const std::array<std::byte, 32>& raw() const { return sha256_; }

  auto operator<=>(const Digest&) const = default;

 private:
  friend class Hasher;
  explicit Digest(const std::array<std::byte, 32>& sha256) : sha256_(sha256) {}
  std::array<std::byte, 32> sha256_;
};

// SHA-256 in pieces. finish() may be called once; one thread at a time.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(Bytes data);
  void update(std::string_view text) { update(as_bytes(text)); }
  Digest finish() &&;

 private:
  struct State;  // the OpenSSL context stays out of every header
  std::unique_ptr<State> state_;
};

}  // namespace oci

template <>
struct std::hash<oci::Digest> {
  std::size_t operator()(const oci::Digest& digest) const noexcept;
};
