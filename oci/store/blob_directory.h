// BlobDirectory: blobs as files named by their digests, the part that the store and an
// image layout have in common.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <unordered_set>
#include <utility>
#include <vector>

#include "oci/base/fd.h"
#include "oci/store/blob_store.h"

namespace oci {

// A blob's name is never trusted: its bytes are hashed the first time this object reads
// them, unless it wrote them. Sources and writers must not outlive it.
class BlobDirectory final : public BlobStore {
 public:
  struct Places {
    std::filesystem::path blobs;      // exists
    std::filesystem::path temporary;  // on the same file system
    // Where liars go. Empty: they are removed if `writable`, else left alone.
    std::filesystem::path quarantine = {};
    bool writable = true;
  };
  explicit BlobDirectory(Places places);

  bool has(const Digest& digest) const override;
  // nullopt if there is no regular file of that name.
  std::optional<std::uint64_t> size_of(const Digest& digest) const;
  std::unique_ptr<Source> open(const BlobRef& blob) const override;
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override;
  std::unique_ptr<BlobWriter> create() override;
  std::filesystem::path path_of(const Digest& digest) const;

  struct BlobInfo {
    BlobRef blob;
    std::int64_t last_used;  // seconds since 1970, the file's time of access
  };
  // Every blob, in no particular order.
  std::vector<BlobInfo> list() const;
  // How many blobs this object found lying and took out of the way.
  std::size_t found_lying() const;

  // What reads one blob in several places has its file in common.
  using SharedFile = std::shared_ptr<const NamedFile>;
  // True if this object has seen the blob's bytes to be right.
  bool is_checked(const Digest& digest) const;
  // The blob's file, whose bytes may lie: for CheckedLater.
  SharedFile open_unchecked(const BlobRef& blob) const;
  // Hashes the file unless that was done; throws Errc::mismatch if it lies, and takes it
  // out of the way. Cancelled if `stop` is requested while it hashes.
  void check(const BlobRef& blob, const SharedFile& file,
             const std::stop_token& stop) const;

  // A blob up to this size costs less to look into than to write.
  static constexpr std::uint64_t k_small = 1 << 20;
  // True if the blob's bytes were seen to be right, by this object earlier or now. A liar
  // is taken out of the way.
  bool is_right(const BlobRef& blob) const;
  // True if the blob was made here after the file that `other` has, and is not that file.
  bool is_newer_than_in(const BlobDirectory& other, const Digest& digest) const;
  // Returns the bytes freed, 0 if it was gone.
  std::uint64_t remove(const BlobRef& blob);

  // Takes a whole blob of `from` by reflink, hard link or copy, whichever works first.
  void share(const BlobDirectory& from, const BlobRef& blob);
  // Takes a file out of the way that is not what its name says.
  void put_away(const Digest& digest) const { put_away(digest, std::nullopt); }

 private:
  class Writer;
  class CheckingSource;
  class Turn;
  using FileIdentity = std::pair<std::uint64_t, std::uint64_t>;  // device and inode

  struct Opened {
    BlobRef blob;
    FileIdentity identity;
    SharedFile file;
    bool hashed;  // this very file, not just one of its name
  };

  static FileIdentity identity_of(const Fd& fd);
  Fd open_regular(const BlobRef& blob) const;
  SharedFile open_checked(const BlobRef& blob) const;
  void check_whole(const BlobRef& blob) const;
  SharedFile still_open(const BlobRef& blob) const;
  void keep_open(const BlobRef& blob, const SharedFile& file, bool hashed) const;
  bool was_hashed(const BlobRef& blob, const Fd& file) const;
  void hash(const BlobRef& blob, SharedFile file, const std::stop_token& stop) const;
  void forget(const Digest& digest) const;
  void clear_directory(const Digest& digest) const;
  void mark_checked(const Digest& digest) const;
  void mark_used(const Digest& digest) const;
  void put_away(const Digest& digest, const std::optional<FileIdentity>& liar) const;

  Places places_;
  Fd directory_;
  mutable std::mutex mutex_;
  mutable std::condition_variable turn_ended_;
  mutable std::unordered_set<Digest> checked_;  // whole bytes seen by this object
  mutable std::unordered_set<Digest> turns_;    // being hashed by some thread
  mutable std::unordered_set<Digest> used_;     // last_used was moved by this object
  // Checked ones that were read last: files of trees are short ranges of a few blobs.
  mutable std::list<Opened> opened_;
  mutable std::size_t put_away_ = 0;
};

}  // namespace oci
