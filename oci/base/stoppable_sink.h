// StoppableSink: passes bytes on until a stop is requested.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <utility>

#include "oci/base/error.h"
#include "oci/base/stream.h"

namespace oci {

// For long copies that have nothing else to look at a token: the next write after the
// request throws Cancelled.
class StoppableSink final : public Sink {
 public:
  StoppableSink(Sink& next, std::stop_token stop) : next_(next), stop_(std::move(stop)) {}
  void write(Bytes data) override {
    if (stop_.stop_requested()) throw Cancelled();
    next_.write(data);
  }

 private:
  Sink& next_;
  std::stop_token stop_;
};

}  // namespace oci
