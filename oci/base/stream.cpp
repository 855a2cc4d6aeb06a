#include "oci/base/stream.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr std::size_t k_buffer = 128 * 1024;

class VerifiedSource final : public Source {
 public:
  VerifiedSource(std::unique_ptr<Source> from, Digest expected, std::uint64_t size,
                 std::string what)
      : from_(std::move(from)), expected_(expected), size_(size), what_(std::move(what)) {
    if (size_ == 0) check_end();
  }

  std::size_t read(std::span<std::byte> into) override {
    const std::uint64_t left = size_ - seen_;
    if (left == 0 || into.empty()) return 0;
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size()));
    const std::size_t got = from_->read(into.first(want));
    if (got == 0) {
      throw Error(Errc::mismatch, fmt::format("{} {} ends after {} bytes, expected {}",
                                              what_, expected_.brief(), seen_, size_));
    }
    hasher_.update(into.first(got));
    seen_ += got;
    if (seen_ == size_) check_end();
    return got;
  }

 private:
  void check_end() {
    std::byte extra{};
    if (from_->read({&extra, 1}) != 0) {
      throw Error(Errc::mismatch, fmt::format("{} {} has more than the expected {} bytes",
                                              what_, expected_.brief(), size_));
    }
    const Digest found = std::move(hasher_).finish();
    if (found != expected_) {
      throw Error(Errc::mismatch, fmt::format("{} has digest {}, expected {}", what_,
                                              found.str(), expected_.str()));
    }
  }

  std::unique_ptr<Source> from_;
  Digest expected_;
  std::uint64_t size_;
  std::uint64_t seen_ = 0;
  std::string what_;
  Hasher hasher_;
};

}  // namespace

std::uint64_t copy(Source& from, Sink& to) {
  std::vector<std::byte> buffer(k_buffer);
  std::uint64_t total = 0;
  while (const std::size_t got = from.read(buffer)) {
    to.write(Bytes(buffer).first(got));
    total += got;
  }
  return total;
}

std::string read_all(Source& from, std::uint64_t limit, std::string_view what,
                     std::uint64_t expected) {
  constexpr std::uint64_t k_least = 4096;
  const std::uint64_t most = limit + 1;  // the byte more tells of what is too large
  std::string text(std::min(std::max(expected + 1, k_least), most), '\0');
  std::size_t used = 0;
  while (const std::size_t got = from.read(
             std::as_writable_bytes(std::span(text.data(), text.size()).subspan(used)))) {
    used += got;
    if (used > limit) {
      throw Error(
          Errc::bad_input,
          fmt::format("{} is larger than {} bytes, the limit for it", what, limit));
    }
    if (used == text.size()) text.resize(std::min<std::uint64_t>(used * 2, most));
  }
  text.resize(used);
  return text;
}

std::size_t StringSource::read(std::span<std::byte> into) {
  const std::size_t length = std::min(into.size(), text_.size() - offset_);
  if (length > 0) std::memcpy(into.data(), text_.data() + offset_, length);
  offset_ += length;
  return length;
}

void HashingSink::write(Bytes data) {
  next_.write(data);
  hasher_.update(data);
  size_ += data.size();
}

std::unique_ptr<Source> verified(std::unique_ptr<Source> from, Digest expected,
                                 std::uint64_t size, std::string what) {
  return std::make_unique<VerifiedSource>(std::move(from), expected, size,
                                          std::move(what));
}

}  // namespace oci
