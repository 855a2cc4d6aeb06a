// Patience: when to try again, and when to give up.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "oci/base/error.h"

namespace oci {

// Failures that may pass (no answer, 408, 429, 5xx) are tried again this often, unless
// there was progress in between.
struct RetryPolicy {
  int attempts = 5;
  std::chrono::milliseconds first_wait{250};  // doubled each time
  std::chrono::milliseconds longest_wait{30'000};
  // What a server asks us to wait is granted in full up to here.
  std::chrono::milliseconds longest_asked{300'000};
};

// Sleeps; throws Cancelled as soon as `stop` is requested.
void wait_or_stop(std::chrono::milliseconds time, const std::stop_token& stop);

// 408, 429 and 5xx: the same request may work later. 501 and 505 never do.
bool may_pass(int status);

// Counts failures without progress and sleeps between them. One thread at a time.
class Patience {
 public:
  // `budget`: tries that all of a run may spend together; null: no such limit. `tell` is
  // given a sentence before a wait of two seconds or more.
  explicit Patience(RetryPolicy policy, std::atomic<int>* budget = nullptr,
                    std::function<void(const std::string&)> tell = {})
      : policy_(policy), budget_(budget), tell_(std::move(tell)) {}

  // Sleeps, as long as a server `asked` if it did, or throws `error` when it is the last
  // straw.
  void lose(const Error& error, std::chrono::seconds asked, const std::stop_token& stop);
  void regain() { failures_ = 0; }

 private:
  RetryPolicy policy_;
  std::atomic<int>* budget_;
  std::function<void(const std::string&)> tell_;
  int failures_ = 0;
};

}  // namespace oci
