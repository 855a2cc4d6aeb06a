// StreamingSource: a body that is pushed at us, read as a Source.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "oci/base/stream.h"

namespace oci {

// Runs `produce` on a thread of its own, a few buffers ahead of the reader. What it
// throws comes out of read(); dropping the source stops it.
class StreamingSource final : public Source {
 public:
  using Produce = std::function<void(Sink& to, std::stop_token stop)>;
  explicit StreamingSource(Produce produce);
  ~StreamingSource() override;

  std::size_t read(std::span<std::byte> into) override;

 private:
  class Inlet;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::byte> waiting_;
  bool ended_ = false;
  std::exception_ptr failure_;
  std::vector<std::byte> current_;  // being read
  std::size_t position_ = 0;
  std::jthread producer_;  // last: it uses all of the above
};

}  // namespace oci
