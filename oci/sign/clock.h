// Clock: what time it is, asked of whoever knows; tests know it before.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace oci {

// May be called by several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::sys_seconds now() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::chrono::sys_seconds now() const override {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  }
};

}  // namespace oci
