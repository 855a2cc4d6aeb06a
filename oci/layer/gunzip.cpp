#include "oci/layer/gunzip.h"

#include <algorithm>
#include <new>
#include <zlib.h>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr std::size_t k_buffer = 128U << 10;
constexpr int k_gzip_window = 16 + MAX_WBITS;  // gzip alone, with its check sums
constexpr std::byte k_magic[] = {std::byte{0x1f}, std::byte{0x8b}, std::byte{0x08}};

}  // namespace

struct GunzipSource::Inflater {
  Inflater() {
    if (::inflateInit2(&state, k_gzip_window) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { ::inflateEnd(&state); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream state{};
};

GunzipSource::GunzipSource(std::unique_ptr<Source> from, std::string name)
    : from_(std::move(from)), name_(std::move(name)), buffer_(k_buffer) {}

GunzipSource::~GunzipSource() = default;

bool GunzipSource::is_gzip() {
  if (!begun_) begin();
  return inflater_ != nullptr;
}

void GunzipSource::begin() {
  begun_ = true;
  while (end_ < std::size(k_magic)) {
    const std::size_t got = from_->read(std::span(buffer_).subspan(end_));
    if (got == 0) return;
    end_ += got;
    bytes_read_ += got;
  }
  if (std::equal(std::begin(k_magic), std::end(k_magic), buffer_.begin())) {
    inflater_ = std::make_unique<Inflater>();
  }
}

std::size_t GunzipSource::read(std::span<std::byte> into) {
  if (into.empty() || ended_) return 0;
  return is_gzip() ? inflate(into) : pass(into);
}

// False at the end of the source.
bool GunzipSource::fill() {
  if (at_ < end_) return true;
  at_ = 0;
  end_ = from_->read(buffer_);
  bytes_read_ += end_;
  return end_ > 0;
}

std::size_t GunzipSource::pass(std::span<std::byte> into) {
  if (at_ == end_) {
    const std::size_t got = from_->read(into);
    bytes_read_ += got;
    return got;
  }
  const std::size_t size = std::min(into.size(), end_ - at_);
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), size, into.begin());
  at_ += size;
  return size;
}

std::size_t GunzipSource::inflate(std::span<std::byte> into) {
  z_stream& state = inflater_->state;
  into = into.first(std::min<std::size_t>(into.size(), 1U << 30));
  state.next_out = reinterpret_cast<Bytef*>(into.data());
  state.avail_out = static_cast<uInt>(into.size());
  while (state.avail_out == into.size()) {
    if (!fill()) throw Error(Errc::bad_input, name_ + " breaks off inside its gzip data");
    state.next_in = reinterpret_cast<Bytef*>(buffer_.data() + at_);
    state.avail_in = static_cast<uInt>(end_ - at_);
    const int status = ::inflate(&state, Z_NO_FLUSH);
    at_ = end_ - state.avail_in;
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK && status != Z_STREAM_END) {
      throw Error(Errc::bad_input, fmt::format("{} holds damaged gzip data: {}", name_,
                                               state.msg != nullptr ? state.msg : ""));
    }
    if (status == Z_STREAM_END && !next_member()) {
      ended_ = true;
      break;
    }
  }
  return into.size() - state.avail_out;
}

// What follows the end of a member: another, or zeros up to the end of the source.
bool GunzipSource::next_member() {
  if (!fill()) return false;
  if (buffer_[at_] == k_magic[0]) {
    ::inflateReset(&inflater_->state);
    return true;
  }
  for (; fill(); ++at_) {
    if (buffer_[at_] == std::byte{0}) continue;
    throw Error(Errc::bad_input, name_ + " has something behind its gzip data");
  }
  return false;
}

}  // namespace oci
