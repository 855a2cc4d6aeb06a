#include "oci/layer/layer_writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/compress.h"
#include "oci/layer/frames.h"
#include "oci/layer/tar.h"

namespace oci {

namespace {

// Bytes that are not cleared first and keep their memory when they are emptied: fresh
// pages for every frame cost more than hashing it.
class Buffer {
 public:
  std::size_t size() const { return size_; }
  void clear() { size_ = 0; }
  Bytes bytes() const { return {data_.get(), size_}; }

  // `count` bytes behind what is there; grow() says how many of them were filled.
  std::span<std::byte> room(std::size_t count) {
    if (capacity_ - size_ < count) reserve(std::max(size_ + count, capacity_ * 2));
    return {data_.get() + size_, count};
  }
  void grow(std::size_t count) { size_ += count; }

  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
  }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

struct Frame {
  Buffer tar;
  Buffer compressed;
};

// Shared by the pipeline and the worker's task, either of which may be gone first.
struct InFlight {
  std::shared_ptr<Frame> frame;
  std::future<void> done;
};

// Room for the largest frame that has no extraordinary header.
constexpr std::size_t k_usual_frame = k_min_frame + k_piece + (16U << 10);

}  // namespace

// A frame is filled here, hashed here while a worker compresses it, and written here when
// all frames before it are.
struct LayerWriter::Pipeline {
  Pipeline(BlobStore& to, Compression how, WorkerPool& on)
      : compression(how), workers(on), blob(to.create()), open(idle_frame()) {}

  void append(Bytes data) {
    const std::span<std::byte> room = open->tar.room(data.size());
    if (!data.empty()) std::memcpy(room.data(), data.data(), data.size());
    open->tar.grow(data.size());
  }
  void append_zeros(std::size_t count) {
    const std::span<std::byte> room = open->tar.room(count);
    std::fill(room.begin(), room.end(), std::byte{0});
    open->tar.grow(count);
  }

  void start(const Entry& entry);
  void append_content(const Entry& entry, Source& content);
  void cut();
  std::shared_ptr<Frame> idle_frame();
  void write_oldest();
  void refuse_if_broken() const {
    if (broken) throw Error(Errc::internal, "a layer goes on after an entry failed");
  }
  Layer finish();

  Compression compression;
  WorkerPool& workers;
  std::unique_ptr<BlobWriter> blob;
  Hasher diff_id;
  std::uint64_t uncompressed = 0;
  std::optional<std::string> last_path;
  bool broken = false;  // an add() failed: what was written is not a layer
  std::vector<std::shared_ptr<Frame>> idle;
  std::shared_ptr<Frame> open;
  std::deque<InFlight> in_flight;
};

void LayerWriter::Pipeline::start(const Entry& entry) {
  const std::string header = tar_header(entry);
  std::string path = member_path(entry);
  if (last_path && path <= *last_path) {
    throw Error(Errc::internal,
                fmt::format("layer entry `{}` comes after `{}`, which is not the order "
                            "of bytes",
                            path, *last_path));
  }
  if (cut_before(open->tar.size(), path,
                 header.size() + entry.size + tar_padding(entry.size))) {
    cut();
  }
  append(as_bytes(header));
  last_path = std::move(path);
}

void LayerWriter::Pipeline::append_content(const Entry& entry, Source& content) {
  std::uint64_t offset = 0;
  while (offset < entry.size) {
    const auto want = static_cast<std::size_t>(
        std::min<std::uint64_t>(entry.size - offset, to_next_cut(offset)));
    const std::size_t got = content.read(open->tar.room(want));
    if (got == 0) {
      throw Error(Errc::mismatch, fmt::format("{} ends after {} bytes, expected {}",
                                              entry.path, offset, entry.size));
    }
    open->tar.grow(got);
    offset += got;
    if (offset % k_piece == 0 && offset < entry.size) cut();
  }
  std::array<std::byte, 1> extra{};
  if (content.read(extra) != 0) {
    throw Error(Errc::mismatch, fmt::format("{} has more than the expected {} bytes",
                                            entry.path, entry.size));
  }
  append_zeros(tar_padding(entry.size));
}

void LayerWriter::Pipeline::cut() {
  // One frame for each worker, and the open one.
  while (in_flight.size() >= workers.size())
    write_oldest();
  const std::shared_ptr<Frame> full = std::exchange(open, idle_frame());
  in_flight.push_back(
      {full, workers.submit([how = compression, full] {
         const Bytes tar = full->tar.bytes();
         Buffer& out = full->compressed;
         out.clear();
         out.grow(compress_frame(how, tar, out.room(compress_bound(how, tar.size()))));
       })});
  diff_id.update(full->tar.bytes());
  uncompressed += full->tar.size();
}

std::shared_ptr<Frame> LayerWriter::Pipeline::idle_frame() {
  if (idle.empty()) {
    auto frame = std::make_shared<Frame>();
    frame->tar.reserve(k_usual_frame);
    return frame;
  }
  std::shared_ptr<Frame> frame = std::move(idle.back());
  idle.pop_back();
  frame->tar.clear();
  return frame;
}

void LayerWriter::Pipeline::write_oldest() {
  InFlight oldest = std::move(in_flight.front());
  in_flight.pop_front();
  oldest.done.get();
  blob->write(oldest.frame->compressed.bytes());
  idle.push_back(std::move(oldest.frame));
}

Layer LayerWriter::Pipeline::finish() {
  append_zeros(2 * k_tar_block);
  cut();
  while (!in_flight.empty())
    write_oldest();
  const BlobRef written = blob->commit();
  return {{std::string(layer_media_type(compression)), written.digest, written.size},
          std::move(diff_id).finish(),
          uncompressed};
}

LayerWriter::LayerWriter(BlobStore& to, Compression compression, WorkerPool& workers)
    : pipeline_(std::make_unique<Pipeline>(to, compression, workers)) {}
LayerWriter::~LayerWriter() = default;
LayerWriter::LayerWriter(LayerWriter&&) noexcept = default;

void LayerWriter::add(const Entry& entry) {
  StringSource nothing("");
  add(entry, nothing);
}

void LayerWriter::add(const Entry& entry, Source& content) {
  pipeline_->refuse_if_broken();
  pipeline_->broken = true;  // until all of the entry is in
  pipeline_->start(entry);
  pipeline_->append_content(entry, content);
  pipeline_->broken = false;
}

Layer LayerWriter::finish() && {
  pipeline_->refuse_if_broken();
  const std::unique_ptr<Pipeline> last = std::move(pipeline_);
  return last->finish();
}

}  // namespace oci
