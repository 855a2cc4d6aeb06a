// BlobStore: bytes by digest. A directory, a registry and a test's map are all one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "oci/base/stream.h"

namespace oci {

struct BlobRef {
  Digest digest;
  std::uint64_t size;
  auto operator<=>(const BlobRef&) const = default;
};

// A blob on its way in. Dropped before commit(), it leaves no trace. One thread at a
// time.
class BlobWriter : public Sink {
 public:
  // Once; the blob is durable and visible when it returns.
  virtual BlobRef commit() = 0;
};

// Every implementation passes tests/oci/store/blob_store_suite.h and is safe to share
// between threads; a BlobWriter belongs to one thread.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual bool has(const Digest& digest) const = 0;
  // Throws Errc::not_found here, and Errc::mismatch while reading if the bytes lie; a
  // store that finds a lying blob takes it out of the way, so that it can be made again.
  virtual std::unique_ptr<Source> open(const BlobRef& blob) const = 0;
  // `size` bytes from `offset`. The whole blob has been checked against its digest by
  // this process, or is now; CheckedLater alone says otherwise.
  virtual std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                             std::uint64_t size) const = 0;
  virtual std::unique_ptr<BlobWriter> create() = 0;
};

BlobRef put(BlobStore& to, Source& from);
BlobRef put(BlobStore& to, std::string_view text);

}  // namespace oci
