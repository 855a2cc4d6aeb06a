// CacheMount: where a cache of commands lies in the store, and who may use it now.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/fd.h"

#include "builder/sandbox/sandbox.h"

namespace lithify {

// What a cache is called. Those of steps with `share: apart` may have further ones beside
// the first, for steps that ran at the same time.
struct CacheName {
  std::string id;       // as build files have it
  unsigned number = 0;  // 0: the first
  auto operator<=>(const CacheName&) const = default;

  std::string str() const;  // "go-build", "go-build@1"
};
inline constexpr unsigned k_most_apart = 64;

// Whether build files can name a cache so: letters, digits, `-`, `_` and `.`, the first a
// letter or digit, at most 128.
bool is_cache_id(std::string_view id);

// Whose ids the files of a cache have is part of its place: sandboxes with other ids have
// caches of their own. "1000-65536".
std::string cache_owners(const OwnerMap& owners);

// A directory of the store's `caches`: `data` is what commands see, `id` has its id,
// `lock` is held (flock) by who uses it.
struct CacheMount {
  CacheName name;
  std::string owners;
  std::filesystem::path home;

  std::filesystem::path data() const { return home / "data"; }
};
CacheMount cache_mount(const std::filesystem::path& caches, CacheName name,
                       std::string owners);

// All that there are, in order of their names.
std::vector<CacheMount> find_caches(const std::filesystem::path& caches);

// Makes `home` with `id`, and an empty `data` if there is none, which then belongs to
// `owner`, if there is one.
void make_cache(const CacheMount& cache, const OwnerMap* owner);

enum class CacheUse { shared, alone };
// Held as long as the descriptor lives; counts as a use for `cache prune`. Waits while
// somebody else has it, after `waiting` was called; a stop is Cancelled. The cache's home
// exists.
oci::Fd lock_cache(const CacheMount& cache, CacheUse use, const std::stop_token& stop,
                   const std::function<void()>& waiting = {});
// Alone, if nobody has it now.
std::optional<oci::Fd> try_lock_cache(const CacheMount& cache);

// Puts the directory `made`, of the same file system, in the place of `data`; what was
// there, if anything, is at `made` afterwards. The caller holds the lock, alone.
void replace_cache(const CacheMount& cache, const std::filesystem::path& made);

// What a directory holds as far as we may read it. Never fails: it may be in use.
struct DirectoryUsage {
  std::uint64_t files = 0;  // names of anything but directories
  std::uint64_t bytes = 0;  // of regular files; one with several names counts once
  bool all_seen = true;     // false: some of it belongs to others
};
DirectoryUsage usage_of(const std::filesystem::path& directory) noexcept;

}  // namespace lithify
