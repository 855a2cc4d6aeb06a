// RegistryCacheWriter: puts results of this build into a registry, for other machines.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <future>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "oci/base/activity.h"

#include "builder/plan/step.h"
#include "builder/remember/registry_cache.h"

namespace lithify {

// Whether performing the step costs more than asking a registry for its result. Fetches
// and imports are never kept, nor what only writes text, links and directories.
bool is_worth_keeping(const Step& step);

// Collects while a build goes on, and sends when it has succeeded. Several that write at
// once are no harm: the same key has the same result, and a tag that is there stays as it
// is. If it names another result, the step is not reproducible, and a warning says so.
class RegistryCacheWriter {
 public:
  struct Saved {
    std::size_t written = 0;  // artifacts
    std::size_t there = 0;    // that were there already
    std::uint64_t bytes = 0;  // of blobs that were made for it
  };

  // `contents` has the blobs of what is offered; it outlives this.
  RegistryCacheWriter(CacheRepository to, const oci::BlobStore& contents);

  // Any thread. Results that hold files of the user's, or more blobs than an artifact
  // may, are left out.
  void offer(const oci::Digest& key, const Step& step, const Tree& result);
  void offer(const LayerKey& key, const oci::Layer& layer);

  // Sends what was offered since the last time, `parallel` at a time. Never fails because
  // of the registry: what went wrong is among the warnings. Throws Cancelled.
  Saved save(oci::Activity& activity, std::stop_token stop, unsigned parallel);
  std::vector<oci::Error> take_warnings();

  const std::string& name() const { return to_.name; }
  std::vector<oci::Digest> layers() const;  // that are there now

 private:
  struct Offer {
    oci::Digest key;
    std::string label;
    std::variant<Tree, oci::Layer> result;
    std::string encoder;
  };

  void save(const Offer& offer, oci::Activity& activity, const std::stop_token& stop);
  bool is_there(const Offer& offer);
  void send(const Offer& offer, oci::Activity& activity, const std::stop_token& stop);
  CacheArtifact make(const Offer& offer, oci::Activity& activity, std::stop_token stop);
  CacheArtifact::Part stored(const oci::BlobRef& content);
  CacheArtifact::Part stored_text(const std::string& text);
  CacheArtifact::Part store_anew(const oci::BlobRef& content,
                                 std::unique_ptr<oci::Source> from);
  void put_empty();
  void note_failure(const Offer& offer, const oci::Error& error);
  void warn(oci::Error warning);

  CacheRepository to_;
  const oci::BlobStore& contents_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<Offer> offers_;
  std::set<oci::Digest> offered_;
  // Several results name the same blob; whoever wants it first sends it.
  std::map<oci::Digest, std::shared_future<CacheArtifact::Part>> stored_;
  std::vector<oci::Digest> layers_;
  std::vector<oci::Error> warnings_;
  Saved saved_;
  bool empty_is_there_ = false;
  bool lost_ = false;
  bool warned_ = false;
};

}  // namespace lithify
