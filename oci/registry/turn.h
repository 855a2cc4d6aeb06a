// Turn: a lock whose waiters can be stopped.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "oci/base/error.h"

namespace oci {

// For sections that talk to the network: whoever waits for the end of one must not wait
// for it after Ctrl-C.
class Turn {
 public:
  class Hold {
   public:
    // Waits; throws Cancelled if `stop` is requested first.
    explicit Hold(Turn& turn, std::stop_token stop = {}) : turn_(turn) {
      std::unique_lock lock(turn_.mutex_);
      if (!turn_.freed_.wait(lock, std::move(stop), [&] { return !turn_.taken_; })) {
        throw Cancelled();
      }
      turn_.taken_ = true;
    }
    ~Hold() {
      {
        const std::lock_guard lock(turn_.mutex_);
        turn_.taken_ = false;
      }
      turn_.freed_.notify_one();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Turn& turn_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable_any freed_;
  bool taken_ = false;
};

}  // namespace oci
