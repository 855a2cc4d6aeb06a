#include "oci/registry/streaming_source.h"

#include <algorithm>
#include <cstring>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr std::size_t k_ahead = 2 << 20;

}  // namespace

class StreamingSource::Inlet final : public Sink {
 public:
  Inlet(StreamingSource& to, std::stop_token stop) : to_(to), stop_(std::move(stop)) {}

  void write(Bytes data) override {
    std::unique_lock lock(to_.mutex_);
    to_.changed_.wait(lock, stop_, [&] { return to_.waiting_.size() < k_ahead; });
    if (stop_.stop_requested()) throw Cancelled();
    to_.waiting_.insert(to_.waiting_.end(), data.begin(), data.end());
    to_.changed_.notify_all();
  }

 private:
  StreamingSource& to_;
  std::stop_token stop_;
};

StreamingSource::StreamingSource(Produce produce)
    : producer_([this, produce = std::move(produce)](std::stop_token stop) {
        std::exception_ptr failure;
        try {
          Inlet inlet(*this, stop);
          produce(inlet, stop);
        } catch (...) {
          failure = std::current_exception();
        }
        const std::lock_guard lock(mutex_);
        failure_ = failure;
        ended_ = true;
        changed_.notify_all();
      }) {}

StreamingSource::~StreamingSource() {
  producer_.request_stop();
}

std::size_t StreamingSource::read(std::span<std::byte> into) {
  if (position_ == current_.size()) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !waiting_.empty() || ended_; });
    if (waiting_.empty()) {
      if (failure_) std::rethrow_exception(failure_);
      return 0;
    }
    current_.clear();
    std::swap(current_, waiting_);
    position_ = 0;
    changed_.notify_all();
  }
  const std::size_t count = std::min(into.size(), current_.size() - position_);
  std::memcpy(into.data(), current_.data() + position_, count);
  position_ += count;
  return count;
}

}  // namespace oci
