// Repository: a blob store that also keeps manifests and names. Layout, archive, store
// and registry.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/descriptor.h"
#include "oci/store/blob_store.h"

namespace oci {

// Every implementation passes tests/oci/image/repository_suite.h.
class Repository : public BlobStore {
 public:
  // Manifests travel apart from blobs because registries keep them apart. They are small:
  // more than 4 MiB is Errc::bad_input. What comes back has been checked against `which`.
  virtual std::string manifest(const Descriptor& which) const = 0;
  virtual bool has_manifest(const Digest& digest) const = 0;
  virtual void put_manifest(const Descriptor& which, Bytes content) = 0;

  // Takes a whole blob of `from`, unless it is here; false if it was. Advances `activity`
  // by its bytes. Repositories that can do better than reading and writing it do. Throws
  // Cancelled when `stop` is requested.
  virtual bool take(const BlobStore& from, const BlobRef& blob, Activity& activity,
                    std::stop_token stop);

  virtual std::optional<Descriptor> resolve(std::string_view tag) const = 0;
  // Points `tag` at a manifest that is already here. Atomic; the last one wins.
  virtual void set_tag(std::string_view tag, const Descriptor& manifest) = 0;
  virtual std::vector<std::string> tags() const = 0;
};

// Copies everything reachable from `root`, children before parents, skipping what `to`
// has: a manifest that is there has its parts there. Push, pull, save, load and mirror
// are this one function. Blobs travel `parallel` at a time, the largest first. Throws
// Cancelled when `stop` is requested.
void replicate(const Repository& from, const Descriptor& root, Repository& to,
               Activity& activity, std::stop_token stop = {}, unsigned parallel = 1);

}  // namespace oci
