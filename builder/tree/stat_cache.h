// StatCache: digests of the user's files, trusted while the kernel says nothing changed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oci/base/digest.h"

#include "builder/tree/cache_database.h"

namespace lithify {

// What stat says of a file; another content has another stamp, unless it was written
// within the clock's grain, which is why young files are not looked up.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const FileStamp&) const = default;
};

// The files of one captured directory in byte order of their paths: one text, read and
// written as a whole.
class StatRecord {
 public:
  StatRecord() = default;
  // A damaged text is an empty record.
  explicit StatRecord(std::string text);

  // Paths must be asked for in ascending order; each call goes on from the one before.
  std::optional<oci::Digest> next(std::string_view path, const FileStamp& stamp);
  // Whether next() has found each of the files and nothing else was asked for.
  bool says_it_all() const { return all_found_ && at_ == text_.size(); }
  // Paths must ascend here too.
  void reserve(std::size_t files, std::size_t path_bytes);
  void add(std::string_view path, const FileStamp& stamp, const oci::Digest& digest);
  const std::string& text() const { return text_; }

 private:
  std::optional<oci::Digest> find(std::string_view path, const FileStamp& stamp);

  std::string text_;
  std::size_t at_ = 0;
  bool all_found_ = true;
};

class StatCache {
 public:
  explicit StatCache(CacheDatabase& database) : database_(database) {}

  // `key` names the directory and what is taken of it.
  StatRecord load(const oci::Digest& key);
  void save(const oci::Digest& key, const std::string& directory,
            const StatRecord& record);
  // Forgets directories that are not there any more.
  void prune();

 private:
  CacheDatabase& database_;
};

}  // namespace lithify
