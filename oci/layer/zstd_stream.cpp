// zstd_stream: frames as layers have them, read by the streaming decoder.
#include "oci/layer/zstd_stream.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <zstd.h>

#include "oci/base/error.h"
#include "oci/layer/compress.h"
#include "oci/layer/frames.h"

namespace oci {

namespace {

constexpr int k_max_window_log = 23;
constexpr std::size_t k_read = std::size_t{128} << 10;

struct FreeDecoder {
  void operator()(ZSTD_DStream* decoder) const { ZSTD_freeDStream(decoder); }
};

// Fills `into`, unless the source ends before.
std::size_t read_full(Source& from, std::span<std::byte> into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    const std::size_t got = from.read(into.subspan(filled));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

class Compressed final : public Source {
 public:
  explicit Compressed(std::unique_ptr<Source> from)
      : from_(std::move(from)),
        plain_(k_piece),
        frame_(compress_bound(Compression::zstd, k_piece)) {}

  std::size_t read(std::span<std::byte> into) override {
    if (at_ == end_ && !next_frame()) return 0;
    const std::size_t size = std::min(into.size(), end_ - at_);
    std::memcpy(into.data(), frame_.data() + at_, size);
    at_ += size;
    return size;
  }

 private:
  // Nothing at all is one empty frame, so that it is zstd too.
  bool next_frame() {
    if (ended_) return false;
    const std::size_t size = read_full(*from_, plain_);
    ended_ = size < plain_.size();
    if (size == 0 && !first_) return false;
    first_ = false;
    const std::size_t bound = compress_bound(Compression::zstd, size);
    at_ = 0;
    end_ = compress_frame(Compression::zstd, Bytes(plain_).first(size),
                          std::span(frame_).first(bound));
    return true;
  }

  std::unique_ptr<Source> from_;
  std::vector<std::byte> plain_;
  std::vector<std::byte> frame_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  bool first_ = true;
  bool ended_ = false;
};

class Decompressed final : public Source {
 public:
  Decompressed(std::unique_ptr<Source> from, std::string name)
      : from_(std::move(from)),
        name_(std::move(name)),
        decoder_(ZSTD_createDStream()),
        buffer_(k_read) {
    if (!decoder_) throw std::bad_alloc();
    ZSTD_DCtx_setParameter(decoder_.get(), ZSTD_d_windowLogMax, k_max_window_log);
  }

  std::size_t read(std::span<std::byte> into) override {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0 && !into.empty()) {
      if (in_.pos == in_.size && !flushing_ && !refill()) return 0;
      left_ = ZSTD_decompressStream(decoder_.get(), &out, &in_);
      if (ZSTD_isError(left_) != 0) {
        throw Error(Errc::bad_input,
                    fmt::format("{}: {}", name_, ZSTD_getErrorName(left_)));
      }
      // A full output may leave bytes inside the decoder, with all input taken.
      flushing_ = out.pos == out.size && left_ != 0;
    }
    return out.pos;
  }

 private:
  bool refill() {
    const std::size_t got = from_->read(buffer_);
    in_ = {buffer_.data(), got, 0};
    if (got > 0) return true;
    if (left_ != 0) throw Error(Errc::bad_input, name_ + " ends inside a zstd frame");
    return false;
  }

  std::unique_ptr<Source> from_;
  std::string name_;
  std::unique_ptr<ZSTD_DStream, FreeDecoder> decoder_;
  std::vector<std::byte> buffer_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  std::size_t left_ = 1;  // 0: at the end of a frame; empty input is no zstd
  bool flushing_ = false;
};

}  // namespace

std::unique_ptr<Source> zstd_compressed(std::unique_ptr<Source> from) {
  return std::make_unique<Compressed>(std::move(from));
}

ZstdSink::ZstdSink(Sink& to, WorkerPool& workers) : to_(to), workers_(workers) {
  open_.reserve(k_piece);
}

void ZstdSink::write(Bytes data) {
  while (!data.empty()) {
    const std::size_t size = std::min<std::size_t>(data.size(), k_piece - open_.size());
    open_.insert(open_.end(), data.begin(),
                 data.begin() + static_cast<std::ptrdiff_t>(size));
    data = data.subspan(size);
    if (open_.size() == k_piece) cut();
  }
}

void ZstdSink::cut() {
  any_ = true;
  while (in_flight_.size() > workers_.size())
    write_oldest();
  std::vector<std::byte> next;
  next.reserve(k_piece);
  std::swap(open_, next);
  in_flight_.push_back(workers_.submit([plain = std::move(next)] {
    std::vector<std::byte> frame(compress_bound(Compression::zstd, plain.size()));
    frame.resize(compress_summed_frame(plain, frame));
    return frame;
  }));
}

void ZstdSink::write_oldest() {
  std::future<std::vector<std::byte>> oldest = std::move(in_flight_.front());
  in_flight_.pop_front();
  to_.write(oldest.get());
}

void ZstdSink::finish() {
  if (!open_.empty() || !any_) cut();
  while (!in_flight_.empty())
    write_oldest();
}

std::unique_ptr<Source> zstd_decompressed(std::unique_ptr<Source> from,
                                          std::string name) {
  return std::make_unique<Decompressed>(std::move(from), std::move(name));
}

}  // namespace oci
