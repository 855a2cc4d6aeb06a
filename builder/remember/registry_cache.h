// RegistryCache: results of steps and layers that another machine has put into a
// registry. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/error.h"
#include "oci/base/worker_pool.h"
#include "oci/image/repository.h"

#include "builder/remember/cache_artifact.h"
#include "builder/tree/layer_cache.h"
#include "builder/tree/tree.h"

namespace lithify {

// A repository that holds artifacts, one for each key.
struct CacheRepository {
  std::string name;  // "ghcr.io/acme/cache"
  std::unique_ptr<oci::Repository> repository;
  // The manifest that a tag names, checked against its digest; nullopt if there is none.
  std::function<std::optional<std::string>(const std::string& tag)> read;
  // Points a new tag at a manifest that is there; Errc::refused if the tag is not new.
  std::function<void(const std::string& tag, const oci::Descriptor& manifest)> write_tag;
};

// With what every repository can: resolve() and set_tag().
CacheRepository cache_repository(std::string name,
                                 std::unique_ptr<oci::Repository> repository);

// Nothing in a cache is believed: digests, keys, sizes and the text of trees are checked,
// and what is wrong with one is a warning and a miss. That a tree is what a step would
// have made cannot be checked without performing it: who may write to the repository
// decides what builds find there.
//
// The blobs of a tree are left where they are until somebody reads them (bring()),
// because mostly nobody does: the layer that they went into is found too. A repository
// that then does not have them has broken its promise, and its trees are no good: the
// build has to be done again without it, after give_up(). Safe to share between threads.
class RegistryCache {
 public:
  // `store` gets what is found; it outlives this.
  RegistryCache(std::vector<CacheRepository> places, oci::BlobStore& store);
  ~RegistryCache();

  // Steps that will be asked for: from the first find() on, when the store is known to
  // lack something, they are looked for several at a time. Each answer of a registry far
  // away takes as long as unpacking a package.
  void expect(std::vector<oci::Digest> keys);

  // Misses are asked for once.
  std::optional<Tree> find(const oci::Digest& key);
  std::optional<oci::Layer> find(const LayerKey& key);

  // Puts a blob of a tree that was found into the store. Errc::not_found if none names
  // it; what else it throws is a broken promise, or Errc::machine.
  void bring(const oci::BlobRef& blob);
  bool broke_promise() const;
  void give_up();
  // It did not answer; so it was told, and need not be tried again.
  bool is_lost(const std::string& name) const;

  // Told at the end of a phase, once: while steps run the progress has the screen.
  std::vector<oci::Error> take_warnings();
  std::size_t found() const;
  // Where a layer was found: a push to the same registry can mount it.
  std::vector<std::pair<oci::Digest, std::string>> places_of_layers() const;

 private:
  struct Place {
    CacheRepository at;
    bool lost = false;    // it did not answer
    bool warned = false;  // of something wrong in it
  };
  struct Promise {
    std::size_t place;
    CacheArtifact::Part part;
  };

  using Answer = std::shared_future<std::optional<Tree>>;

  void start_asking();
  std::optional<Tree> ask(const oci::Digest& key);
  template <class Result, class Read>
  std::optional<Result> find_in_places(const oci::Digest& key, Read read);
  std::optional<CacheArtifact> artifact(Place& place, const oci::Digest& key);
  Tree read_tree(std::size_t place, const CacheArtifact& artifact);
  oci::Layer read_layer(Place& place, const CacheArtifact& artifact, const LayerKey& key);
  void note_failure(Place& place, const oci::Error& error);

  std::vector<Place> places_;
  oci::BlobStore& store_;
  std::mutex bringing_;       // one at a time: two readers may want the same blob
  mutable std::mutex mutex_;  // guards what follows, and what is said of places
  std::set<oci::Digest> missed_;
  std::map<oci::Digest, Promise> promises_;
  std::map<oci::Digest, std::string> layers_;
  std::vector<oci::Error> warnings_;
  std::size_t found_ = 0;
  bool broke_promise_ = false;
  bool closing_ = false;
  std::vector<oci::Digest> expected_;
  std::map<oci::Digest, Answer> answers_;
  std::unique_ptr<oci::WorkerPool> askers_;  // last: it dies first
};

}  // namespace lithify
