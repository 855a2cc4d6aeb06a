// unpack_caches: caches of commands out of an archive that a stranger may have written.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/fd.h"
#include "oci/base/stream.h"

#include "builder/caches/cache_archive.h"
#include "builder/caches/pack_caches.h"
#include "builder/plan/recipe.h"

namespace lithify {

// Makes the files of one cache in a directory. Nothing is ever made, linked or changed
// through a symlink or outside of it; a member whose parent is no directory is
// Errc::bad_input. One thread at a time.
class CacheUnpacker {
 public:
  // `directory`, called as the cache is, is made; `ids` as in CachesOf. `shown` names the
  // archive.
  CacheUnpacker(const std::filesystem::path& directory, const OwnerMap& ids,
                std::string shown, std::stop_token stop);

  // The members of the cache, each with its content.
  void add(const oci::Entry& entry, CacheArchiveReader& content);
  // Gives directories their permissions and times. Nothing may be added afterwards.
  TravelledCache finish();
  // Members whose owner the sandbox here does not have; they belong to 0:0.
  std::uint64_t owners_lost() const { return owners_lost_; }

 private:
  void make_file(int parent, const oci::Entry& entry, CacheArchiveReader& content);
  void make_symlink(int parent, const oci::Entry& entry);
  void make_link(int parent, const oci::Entry& entry);
  void finish_open(int fd, const oci::Entry& entry);
  Owner owner_of(const oci::Attributes& attributes);
  oci::Fd open_directory(const std::string& path) const;
  int parent_fd(const std::string& path);
  void require(int result, const char* doing, const std::string& path) const;
  [[noreturn]] void refuse(const std::string& path, std::string_view why) const;

  const std::filesystem::path directory_;
  const OwnerMap& ids_;
  const std::string shown_;
  const std::stop_token stop_;
  const bool gives_away_;
  oci::Fd root_;
  oci::Fd parent_;
  std::string parent_name_;
  std::map<std::string, oci::Entry> directories_;  // as they will be
  std::vector<std::byte> buffer_;
  TravelledCache travelled_;
  std::uint64_t owners_lost_ = 0;
};

// Unpacks the archive below `work`, and when all of it was read and is whole, puts its
// caches in the place of those with the same names, each as a whole, when no command uses
// any of them, which is waited for. What fails or is stopped before leaves every cache as
// it was. Other caches stay. `which.only` chooses by id; Errc::not_found, with
// the ids that the archive has, if it does not have one of them. Needs to be root, or the
// root of the sandbox's ids.
std::vector<TravelledCache> unpack_caches(const CachesOf& which,
                                          CacheArchiveReader& archive,
                                          const std::filesystem::path& work,
                                          oci::Activity& activity, std::stop_token stop);

}  // namespace lithify
