// DirectoryStore: blobs as files under blobs/sha256, safe against crashes and neighbours.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "oci/base/fd.h"
#include "oci/store/blob_store.h"

namespace oci {

// Layout of `root`: blobs/sha256/<hex>, tmp/ (files being written, removed when their
// writer is gone), quarantine/ (blobs whose bytes lied), locks/lease. Any number of
// processes may share it. A blob is written to tmp/, synced, renamed, and its directory
// synced; so a kill or a power cut at any instant leaves whole blobs or none. Whoever
// lives is told by flock, which dies with its process: there are no stale locks.
//
// A blob's name is never trusted: its bytes are hashed the first time this process reads
// them, unless this process wrote them. Sources and writers must not outlive the store.
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
    std::int64_t last_used;  // seconds since 1970, the file's mtime
  };
  // Every blob, in no particular order.
  std::vector<BlobInfo> list() const;

  // Removes every blob that `keep` does not want, and everything in quarantine. While
  // another store object has this root open, nothing is removed: Errc::machine with a
  // hint. Returns the number of bytes freed.
  template <class Keep>
  std::uint64_t prune(Keep keep) {
    const ExclusiveLease lease(*this);
    std::uint64_t freed = empty_quarantine();
    for (const BlobInfo& info : list()) {
      if (!keep(info)) freed += remove(info.blob);
    }
    return freed;
  }

 private:
  class Writer;
  class CheckingSource;
  using FileIdentity = std::pair<std::uint64_t, std::uint64_t>;  // device and inode

  // The lease made exclusive for a scope; shared again at its end.
  class ExclusiveLease {
   public:
    explicit ExclusiveLease(const DirectoryStore& store);
    ~ExclusiveLease();
    ExclusiveLease(const ExclusiveLease&) = delete;
    ExclusiveLease& operator=(const ExclusiveLease&) = delete;

   private:
    const DirectoryStore& store_;
  };

  void remove_dead_temporaries() const;
  std::uint64_t remove(const BlobRef& blob);
  std::uint64_t empty_quarantine() const;
  Fd open_regular(const BlobRef& blob) const;
  void check_whole(const BlobRef& blob) const;
  bool is_checked(const Digest& digest) const;
  void mark_checked(const Digest& digest) const;
  void mark_used(const Digest& digest) const;
  static FileIdentity identity_of(const Fd& fd);
  void quarantine(const Digest& digest, const std::optional<FileIdentity>& liar) const;

  std::filesystem::path root_;
  Fd blobs_;  // the directory blobs/sha256
  Fd lease_;
  mutable std::mutex mutex_;
  mutable std::condition_variable check_ended_;
  mutable std::unordered_set<Digest> checked_;   // whole bytes seen by this process
  mutable std::unordered_set<Digest> checking_;  // being hashed by some thread
  mutable std::unordered_set<Digest> used_;      // last_used was moved by this process
};

}  // namespace oci
