// Source and Sink: how bytes travel. Blobs are streamed; nothing here holds a whole one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "oci/base/digest.h"

namespace oci {

class Source {
 public:
  virtual ~Source() = default;
  // Fills a prefix of `into` and returns its length; 0 means the end. Throws Error.
  virtual std::size_t read(std::span<std::byte> into) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Takes all of `data` or throws. Ending a stream is not a Sink's business: whoever
  // made the concrete writer calls its finish(), which returns what was made.
  virtual void write(Bytes data) = 0;
};

// Reads `from` to its end. Returns the number of bytes.
std::uint64_t copy(Source& from, Sink& to);

// Reads `from` to its end into memory; more than `limit` bytes is Errc::bad_input that
// says `what` was too large. Right for any size, and cheapest for `expected` bytes.
std::string read_all(Source& from, std::uint64_t limit, std::string_view what,
                     std::uint64_t expected = 0);

// Bytes that are already in memory. The text lives as long as the source.
class StringSource final : public Source {
 public:
  explicit StringSource(std::string text) : text_(std::move(text)) {}
  std::size_t read(std::span<std::byte> into) override;

 private:
  std::string text_;
  std::size_t offset_ = 0;
};

class StringSink final : public Sink {
 public:
  void write(Bytes data) override {
    text.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  std::string text;
};

// Takes bytes and forgets them.
class NullSink final : public Sink {
 public:
  void write(Bytes) override {}
};

// Passes bytes on and knows their digest and count: the one place where blobs get names.
class HashingSink final : public Sink {
 public:
  explicit HashingSink(Sink& next) : next_(next) {}
  void write(Bytes data) override;
  std::uint64_t size() const { return size_; }
  Digest finish() && { return std::move(hasher_).finish(); }

 private:
  Hasher hasher_;
  Sink& next_;
  std::uint64_t size_ = 0;
};

// Throws Errc::mismatch unless exactly `size` bytes of that digest come by; the last
// bytes are handed out only after the digest was compared, and the end of `from` is
// checked too (trailing bytes are a mismatch). `what` names the blob in the message.
std::unique_ptr<Source> verified(std::unique_ptr<Source> from, Digest expected,
                                 std::uint64_t size, std::string what = "blob");

}  // namespace oci
