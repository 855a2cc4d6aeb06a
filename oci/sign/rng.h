// Rng: bytes that nobody can guess, from whoever has them; tests know them before.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace oci {

// Salts and nonces come from here. Keys and the nonces inside ECDSA signatures do not:
// OpenSSL takes those from its own generator. May be called by several threads.
class Rng {
 public:
  virtual ~Rng() = default;
  // All of `into`, or Errc::machine.
  virtual void fill(std::span<std::byte> into) = 0;
  std::string bytes(std::size_t count);
};

// OpenSSL's generator, seeded by the kernel.
class SystemRng final : public Rng {
 public:
  void fill(std::span<std::byte> into) override;
};

}  // namespace oci
