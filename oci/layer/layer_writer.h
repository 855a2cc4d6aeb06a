// LayerWriter: entries in, one reproducible layer out. Its bytes are format 1, written
// down in oci/README.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "oci/base/descriptor.h"
#include "oci/base/worker_pool.h"
#include "oci/layer/entry.h"
#include "oci/store/blob_store.h"

namespace oci {

enum class Compression { none, gzip, zstd };

// The encoder this binary would use, established by compressing a fixed probe:
// "zstd-1.5.4", "libdeflate-1.14", or "zstd-<first 12 hex of the probe's digest>" where
// the probe gives bytes that no table knows. "none" for none. Two binaries with equal
// identities write equal blobs.
std::string encoder_identity(Compression compression);

// The two names of a layer exist together, and only once all its bytes do.
struct Layer {
  Descriptor blob;  // of the compressed bytes; media type of the compression
  Digest diff_id;   // of the tar inside
  std::uint64_t uncompressed_size;
};

// One thread at a time calls add() and finish(), and none of `workers`' own: frames are
// compressed there, with bytes that do not depend on their number. Holds at most two
// frames more than there are workers. What a worker or the store throws comes out of a
// later add() or of finish(); after an add() that threw, nothing but the destructor may
// be called.
class LayerWriter {
 public:
  LayerWriter(BlobStore& to, Compression compression, WorkerPool& workers);
  ~LayerWriter();
  LayerWriter(LayerWriter&&) noexcept;

  // Paths must arrive in strictly ascending byte order of the name written to the tar (a
  // whiteout of "a/b" is written as "a/.wh.b"; a directory counts without its slash; the
  // root directory "" comes first): the order is part of the digest. Anything else is
  // Errc::internal.
  void add(const Entry& entry);
  // A regular file; `content` must give exactly entry.size bytes, else Errc::mismatch.
  void add(const Entry& entry, Source& content);

  Layer finish() &&;  // commits the blob; an unfinished writer leaves nothing behind

 private:
  struct Pipeline;  // tar -> hash (diff_id) -> frames -> compress -> hash (digest) ->
                    // store
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace oci
