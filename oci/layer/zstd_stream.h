// zstd_stream: bytes that are no layer, as zstd frames and back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "oci/base/stream.h"
#include "oci/base/worker_pool.h"

namespace oci {

// `from` in independent frames of 4 MiB each, as layers are: equal bytes on every machine
// with an equal encoder_identity(Compression::zstd).
std::unique_ptr<Source> zstd_compressed(std::unique_ptr<Source> from);

// The same frames, each with a check sum, for who writes rather than reads: they are
// compressed on `workers`, several at a time, and reach `to` in their order. Both must
// outlive it. One thread at a time, and none of the workers' own. What a worker or `to`
// throws comes out of a later write() or of finish().
class ZstdSink final : public Sink {
 public:
  ZstdSink(Sink& to, WorkerPool& workers);
  void write(Bytes data) override;
  void finish();  // once, at the end: writes what is left

 private:
  void cut();
  void write_oldest();

  Sink& to_;
  WorkerPool& workers_;
  std::vector<std::byte> open_;
  std::deque<std::future<std::vector<std::byte>>> in_flight_;
  bool any_ = false;  // was cut
};

// What such frames hold. Unlike decompressed() it never guesses: what comes out may
// itself look compressed. Errc::bad_input for anything that is no zstd, ends too soon or
// wants a window over 8 MiB; how much comes out is for a verified() around it to limit.
// Reads `from` to its end. `name` stands for it in messages.
std::unique_ptr<Source> zstd_decompressed(std::unique_ptr<Source> from, std::string name);

}  // namespace oci
