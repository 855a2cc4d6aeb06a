// registry_caches: the build caches in registries that a command line names.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/image/repository.h"

#include "builder/cli/bringing_repository.h"
#include "builder/cli/options.h"
#include "builder/cli/registry_access.h"
#include "builder/plan/graph.h"
#include "builder/remember/shared_caches.h"

namespace lithify {

// "host/path" of what --cache-from and --cache-to take. Errc::bad_input with a hint for a
// tag or a digest: results have their own tags.
std::string cache_name(std::string_view flag, std::string_view text);

// One for each run. Connections and credentials are those of any other registry, but less
// patience: a build goes on without a cache. What it is made of outlives it.
class RegistryCaches {
 public:
  RegistryCaches(oci::HttpClient& http, const Environment& environment,
                 const Options& options, oci::Repository& images, std::stop_token stop);

  SharedCaches shared() { return {from_.get(), to_.get()}; }
  // The store, and behind it what the trees that were found there are made of.
  oci::Repository& contents() { return contents_; }

  // What a build is about to ask for, as far as it is known before.
  void expect(const Graph& graph);

  // True if a blob that a tree needs could not be had after all. From then on nothing is
  // found, and the build is to be done again.
  bool gave_up();

  // Sends what the build made.
  void save(oci::Activity& activity, std::stop_token stop);
  // Layers that are in a registry now, for pushes to mount.
  void tell_layers(oci::Registries& registries) const;
  std::vector<oci::Error> take_warnings();
  std::string summary() const;  // the lines at the end of a build

 private:
  void bring(const oci::BlobRef& blob);

  RegistryAccess access_;
  BringingRepository contents_;
  std::unique_ptr<RegistryCache> from_;
  std::unique_ptr<RegistryCacheWriter> to_;
  std::vector<std::string> from_names_;
  RegistryCacheWriter::Saved saved_;
};

}  // namespace lithify
