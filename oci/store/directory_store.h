// DirectoryStore: blobs as files under blobs/sha256, safe against crashes and neighbours.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "oci/base/fd.h"
#include "oci/store/blob_directory.h"

namespace oci {

// Layout of `root`: blobs/sha256/<hex>, tmp/ (files being written, removed when their
// writer is gone), quarantine/ (blobs whose bytes lied), locks/lease. Any number of
// processes may share it. A blob is written to tmp/, synced, renamed, and its directory
// synced; so a kill or a power cut at any instant leaves whole blobs or none. Whoever
// lives is told by flock, which dies with its process: there are no stale locks.
//
// A blob's name is never trusted: its bytes are hashed the first time this object reads
// them, unless it wrote them. Sources and writers must not outlive the store.
class DirectoryStore final : public BlobStore {
 public:
  using BlobInfo = BlobDirectory::BlobInfo;

  // Makes what is missing. Errc::machine if the place is full or read-only. While it
  // lives it holds a shared lease, so that a prune elsewhere keeps what it may use.
  explicit DirectoryStore(const std::filesystem::path& root);

  bool has(const Digest& digest) const override { return blobs_.has(digest); }
  std::optional<std::uint64_t> size_of(const Digest& digest) const {
    return blobs_.size_of(digest);
  }
  std::unique_ptr<Source> open(const BlobRef& blob) const override {
    return blobs_.open(blob);
  }
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override {
    return blobs_.open_range(blob, offset, size);
  }
  std::unique_ptr<BlobWriter> create() override { return blobs_.create(); }

  const std::filesystem::path& root() const { return root_; }
  // The files themselves, to share them with an image layout.
  const BlobDirectory& blobs() const { return blobs_; }
  // Where the blob is or would be. The file must not be changed.
  std::filesystem::path path_of(const Digest& digest) const {
    return blobs_.path_of(digest);
  }
  // Every blob, in no particular order.
  std::vector<BlobInfo> list() const { return blobs_.list(); }

  // Reads every blob and puts away those that are not what their name says.
  void put_away_liars() const;

  // The lease made exclusive for a scope; shared again at its end. While another store
  // object has this root open it cannot be had: Errc::machine with a hint.
  class ExclusiveLease {
   public:
    explicit ExclusiveLease(const DirectoryStore& store);
    ~ExclusiveLease();
    ExclusiveLease(const ExclusiveLease&) = delete;
    ExclusiveLease& operator=(const ExclusiveLease&) = delete;

   private:
    const DirectoryStore& store_;
  };

  // Removes every blob that `keep` does not want, and everything in quarantine. Returns
  // the number of bytes freed: a blob that an image layout shares frees none.
  template <class Keep>
  std::uint64_t prune(const ExclusiveLease&, Keep keep) {
    std::uint64_t freed = empty_quarantine();
    for (const BlobInfo& info : list()) {
      if (!keep(info)) freed += blobs_.remove(info.blob);
    }
    return freed;
  }

 private:
  std::uint64_t empty_quarantine() const;

  std::filesystem::path root_;
  Fd lease_;
  BlobDirectory blobs_;
};

}  // namespace oci
