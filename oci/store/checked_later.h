// CheckedLater: a store's blobs for whoever would rather begin than wait for their
// digests. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "oci/store/blob_directory.h"

namespace oci {

// Large blobs that were not checked yet are hashed by threads of their own while ranges
// of them are read already. So what was made of them counts only once finish() returned,
// and has to be thrown away if it does not.
//
// Any number of threads may read; finish() is called once, by one, after them. The store
// and its files outlive this object.
class CheckedLater final : public BlobStore {
 public:
  // `files` are what the store has in a directory; nullptr: nothing, and so all is
  // checked before it is read. A requested `stop` ends the hashing, and finish() with it.
  CheckedLater(BlobStore& store, const BlobDirectory* files, const std::stop_token& stop);
  // Stops what is still being hashed.
  ~CheckedLater() override;

  bool has(const Digest& digest) const override { return store_.has(digest); }
  // As any store does: bytes that lie end in Errc::mismatch.
  std::unique_ptr<Source> open(const BlobRef& blob) const override {
    return store_.open(blob);
  }
  // Bytes that may lie until finish() returned.
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override;
  std::unique_ptr<BlobWriter> create() override { return store_.create(); }

  // Waits for what is being hashed. Throws Errc::mismatch if a blob lied, which is out of
  // the way then, and Cancelled after a stop.
  void finish();

 private:
  struct Check;

  BlobDirectory::SharedFile file_under_check(const BlobRef& blob) const;

  BlobStore& store_;
  const BlobDirectory* files_;
  std::stop_source ends_;
  std::stop_callback<std::function<void()>> on_stop_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Check>> checks_;
};

}  // namespace oci
