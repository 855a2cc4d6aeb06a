// CacheArchive: caches of commands as one file: the format, and a stranger's read
// strictly.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/stream.h"
#include "oci/layer/entry.h"
#include "oci/layer/layer_reader.h"
#include "oci/layer/tar_reader.h"

#include "builder/caches/cache_mounts.h"

namespace lithify {

// The first member of an archive: which caches are in it. builder/README.md, "Caches that
// travel", has the format.
struct CacheIndex {
  static constexpr std::string_view k_member = "lithify-caches.json";
  static constexpr std::int64_t k_format = 1;
  static constexpr std::size_t k_max_text = 1 << 20;
  static constexpr std::size_t k_max_caches = 4096;

  std::vector<CacheName> caches;  // ascending, no two of them equal

  std::string text() const;
  // Errc::bad_input for what is no index, with a hint if a newer lithify wrote it. `what`
  // names the archive in messages.
  static CacheIndex parse(std::string_view text, const std::string& what);
};

// The directory of a cache in the archive: "caches/go-build".
std::string cache_member(const CacheName& cache);
// The permission bits that travel: those for running as somebody else do not.
std::uint32_t cache_mode(oci::FileType type, std::uint32_t mode);

// Reads an archive front to back. Whatever the bytes are, what comes out is this: for
// each cache of the index, in its order, the directory "" and then entries of which
// paths and links of hard links are clean and paths ascend; regular files, directories,
// symlinks and hard links, with permission bits as cache_mode() has them and without
// extended attributes. Whether a parent is a directory, and a hard link's target a file,
// is for whoever makes them to find out. Everything else is Errc::bad_input, as is an
// archive that ends too soon or is beyond `limits`.
class CacheArchiveReader {
 public:
  // Not layers' limits: a cache may hold more than an image, but names as short.
  static oci::ArchiveLimits limits();

  // `from` may be compressed with zstd or gzip; `name` stands for it in messages.
  CacheArchiveReader(std::unique_ptr<oci::Source> from, std::string name,
                     const oci::ArchiveLimits& limits = CacheArchiveReader::limits());
  ~CacheArchiveReader();
  CacheArchiveReader(const CacheArchiveReader&) = delete;
  CacheArchiveReader& operator=(const CacheArchiveReader&) = delete;

  const std::string& name() const { return name_; }
  const std::vector<CacheName>& caches() const { return index_.caches; }

  struct Member {
    std::size_t cache = 0;  // of caches()
    oci::Entry entry = {};  // its path, and a hard link's, from the cache's directory on
  };
  // nullopt: all of the archive was read and is whole.
  std::optional<Member> next();
  // Content of the last member, if it is a regular file; 0 at its end.
  std::size_t read(std::span<std::byte> into);

 private:
  [[noreturn]] void refuse(std::string_view path, std::string_view why) const;
  [[noreturn]] void refuse_stranger(std::string_view first_member) const;
  void read_index();
  std::string place(std::string_view path);
  std::string place_in_cache(std::string_view path) const;
  void check(const oci::Entry& entry) const;
  void count(const oci::Entry& entry);

  const std::string name_;
  const oci::ArchiveLimits limits_;
  std::unique_ptr<oci::Source> plain_;
  std::optional<oci::TarReader> tar_;
  CacheIndex index_;
  std::size_t begun_ = 0;  // caches whose directory was there
  std::string last_path_;  // in the last of them
  std::uint64_t entries_ = 0;
  std::uint64_t content_ = 0;
};

}  // namespace lithify
