// DirectoryStore: blobs as files under blobs/sha256, safe against crashes and neighbours.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <vector>

#include "oci/base/fd.h"
#include "oci/store/blob_store.h"

namespace oci {

// Layout of `root`: blobs/sha256/<hex>, tmp/ (files being written, removed when their
// writer is gone), quarantine/ (blobs whose bytes lied), locks/. Any number of processes
// may share it. A blob is written to tmp/, synced, renamed, and its directory synced; so
// a kill or a power cut at any instant leaves whole blobs or none.
class DirectoryStore final : public BlobStore {
 public:
  // Makes what is missing. Errc::machine if the place is full or read-only. While it
  // lives it holds a shared lease, so that a prune elsewhere keeps what it may use.
  explicit DirectoryStore(std::filesystem::path root);
  ~DirectoryStore() override;

  bool has(const Digest& digest) const override;
  std::optional<std::uint64_t> size_of(const Digest& digest) const;
  std::unique_ptr<Source> open(const BlobRef& blob) const override;
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override;
  std::unique_ptr<BlobWriter> create() override;

  const std::filesystem::path& root() const { return root_; }
  // Where the blob is or would be. The file must not be changed.
  std::filesystem::path path_of(const Digest& digest) const;

  struct BlobInfo {
    BlobRef blob;
    std::int64_t last_used;  // seconds since 1970
  };
  std::vector<BlobInfo> list() const;

  // Removes every blob that `keep` does not want and no other process's lease protects
  // (Errc::machine with a hint if one does). Returns the number of bytes freed.
  template <class Keep>
  std::uint64_t prune(Keep keep) {
    std::uint64_t freed = 0;
    const auto lock = exclusive_lease();
    for (const BlobInfo& info : list()) {
      if (!keep(info)) freed += remove(info.blob);
    }
    return freed;
  }

 private:
  class Writer;
  Fd exclusive_lease();
  std::uint64_t remove(const BlobRef& blob);
  Fd open_checked(const BlobRef& blob) const;
  void quarantine(const Digest& digest) const;

  std::filesystem::path root_;
  Fd lease_;
  mutable std::mutex mutex_;
  mutable std::unordered_set<Digest> checked_;  // whole bytes seen by this process
};

}  // namespace oci
