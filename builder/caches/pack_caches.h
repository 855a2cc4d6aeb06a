// pack_caches: caches of commands into an archive that travels.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/stream.h"
#include "oci/base/worker_pool.h"

#include "builder/caches/cache_mounts.h"
#include "builder/sandbox/sandbox.h"

namespace lithify {

// The caches of a store that one kind of sandbox uses.
struct CachesOf {
  std::filesystem::path directory;  // the store's `caches`
  std::string owners;               // as cache_owners() says it
  // What the ids of their files are for who asks: root, or the root of the sandbox's ids.
  OwnerMap ids;
  // Those with these ids alone; empty: all.
  std::vector<std::string> only = {};
};

// What travelled.
struct TravelledCache {
  CacheName name;
  std::uint64_t files = 0;  // names of anything but directories
  std::uint64_t bytes = 0;  // of contents
};

// Those that pack_caches() would pack. Errc::not_found, with the ids that there are, if
// one of `only` is not there.
std::vector<CacheMount> caches_to_pack(const CachesOf& which);

// Writes the archive to `to`: the same caches are the same bytes, whatever else the store
// holds and however many workers there are. Each cache is held while it is packed, which
// waits until no command uses it. Sockets, pipes and devices are left out with a warning.
// Needs to be allowed to read everything.
std::vector<TravelledCache> pack_caches(const CachesOf& which, oci::Sink& to,
                                        oci::WorkerPool& workers, oci::Activity& activity,
                                        std::stop_token stop);

// One directory as the members of a cache, in a tar that has begun; for pack_caches().
class CachePacker {
 public:
  CachePacker(oci::Sink& tar, const OwnerMap& ids, oci::Activity& activity,
              std::stop_token stop)
      : tar_(tar), ids_(ids), activity_(activity), stop_(std::move(stop)) {}

  // Nobody changes it meanwhile: a file that is not as long as it was is Errc::mismatch.
  TravelledCache pack(const CacheName& name, const std::filesystem::path& data);

 private:
  class Walk;

  oci::Sink& tar_;
  const OwnerMap& ids_;
  oci::Activity& activity_;
  const std::stop_token stop_;
};

}  // namespace lithify
