// MemoryStore: blobs in memory, for tests and for images too small to deserve a disk.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "oci/store/blob_store.h"

namespace oci {

class MemoryStore final : public BlobStore {
 public:
  bool has(const Digest& digest) const override;
  std::unique_ptr<Source> open(const BlobRef& blob) const override;
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override;
  std::unique_ptr<BlobWriter> create() override;

  std::size_t count() const;

 private:
  class Writer;
  // Shared with the sources that are being read: they may outlive the store.
  using Content = std::shared_ptr<const std::string>;

  mutable std::mutex mutex_;
  std::map<Digest, Content> blobs_;
};

}  // namespace oci
