// interrupt: Ctrl-C stops a build in order; a second one stops it at once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

namespace lithify {

// While it lives, the first SIGINT or SIGTERM requests a stop and calls `told` (on a
// thread of its own), the second ends the process with 128 + the signal's number. One at
// a time.
class Interrupt {
 public:
  explicit Interrupt(std::function<void()> told);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const;
  int signal() const;  // 0: none came

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lithify
