#include "builder/remember/registry_cache.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "oci/layer/compress.h"
#include "oci/layer/decompress.h"
#include "oci/layer/zstd_stream.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr unsigned k_askers = 8;

// Failures of this machine and of ours are told as such; all others are the cache's.
bool is_ours(const Error& error) {
  return error.code() == Errc::machine || error.code() == Errc::internal;
}

std::unique_ptr<oci::Source> open_part(const oci::Repository& repository,
                                       const CacheArtifact::Part& part,
                                       const std::string& name) {
  return oci::verified(oci::zstd_decompressed(repository.open(part.stored), name),
                       part.content.digest, part.content.size, name);
}

// Where the blobs are that the tree's files are slices of. That a slice lies within its
// blob is what a text of a tree cannot help saying.
std::vector<CacheArtifact::Part> parts_of(const Tree& tree, const CacheArtifact& artifact,
                                          const std::string& name) {
  std::map<oci::Digest, CacheArtifact::Part> listed;
  for (std::size_t i = 1; i < artifact.parts.size(); ++i)
    listed.emplace(artifact.parts[i].content.digest, artifact.parts[i]);
  std::set<oci::Digest> named;
  std::vector<CacheArtifact::Part> parts;
  for (const auto& [path, node] : tree.nodes()) {
    const auto* slice = node.content ? std::get_if<Slice>(&*node.content) : nullptr;
    if (slice == nullptr) continue;
    const auto found = listed.find(slice->blob.digest);
    if (found == listed.end() || found->second.content != slice->blob) {
      throw Error(Errc::mismatch,
                  fmt::format("the tree of {} names the blob {}, which is not listed",
                              name, slice->blob.digest.brief()));
    }
    if (named.insert(slice->blob.digest).second) parts.push_back(found->second);
  }
  return parts;
}

// What a layer says is in it.
void check_inside(const oci::Layer& layer, const oci::BlobStore& store,
                  const std::string& name) {
  const auto tar =
      oci::verified(oci::decompressed(store.open({layer.blob.digest, layer.blob.size}),
                                      oci::Filters::layer, name, {}),
                    layer.diff_id, layer.uncompressed_size, name);
  oci::NullSink nothing;
  oci::copy(*tar, nothing);
}

}  // namespace

CacheRepository cache_repository(std::string name,
                                 std::unique_ptr<oci::Repository> repository) {
  oci::Repository& at = *repository;
  CacheRepository made{std::move(name), std::move(repository), {}, {}};
  made.read = [&at](const std::string& tag) -> std::optional<std::string> {
    const auto which = at.resolve(tag);
    if (!which) return std::nullopt;
    return at.manifest(*which);
  };
  made.write_tag = [&at](const std::string& tag, const oci::Descriptor& manifest) {
    if (at.resolve(tag)) throw Error(Errc::refused, "the tag " + tag + " is there");
    at.set_tag(tag, manifest);
  };
  return made;
}

RegistryCache::RegistryCache(std::vector<CacheRepository> places, oci::BlobStore& store)
    : store_(store) {
  for (CacheRepository& place : places)
    places_.push_back({std::move(place)});
}

RegistryCache::~RegistryCache() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
}

void RegistryCache::expect(std::vector<oci::Digest> keys) {
  const std::lock_guard lock(mutex_);
  expected_ = std::move(keys);
}

// Called with the lock held. In the order of the steps, which the scheduler keeps to.
void RegistryCache::start_asking() {
  if (expected_.empty()) return;
  if (!askers_) askers_ = std::make_unique<oci::WorkerPool>(k_askers);
  for (const oci::Digest& key : std::exchange(expected_, {})) {
    if (answers_.count(key) != 0) continue;
    answers_.emplace(key, askers_->submit([this, key] { return ask(key); }).share());
  }
}

std::optional<Tree> RegistryCache::find(const oci::Digest& key) {
  Answer expected;
  {
    const std::lock_guard lock(mutex_);
    start_asking();
    if (const auto at = answers_.find(key); at != answers_.end()) expected = at->second;
  }
  std::optional<Tree> tree = expected.valid() ? expected.get() : ask(key);
  const std::lock_guard lock(mutex_);
  if (tree) ++found_;
  return tree;
}

std::optional<Tree> RegistryCache::ask(const oci::Digest& key) {
  return find_in_places<Tree>(
      key, [&](std::size_t place, const CacheArtifact& known) -> std::optional<Tree> {
        return read_tree(place, known);
      });
}

std::optional<oci::Layer> RegistryCache::find(const LayerKey& key) {
  auto layer = find_in_places<oci::Layer>(
      cache_key(key), [&](std::size_t place, const CacheArtifact& known) {
        return std::optional(read_layer(places_[place], known, key));
      });
  const std::lock_guard lock(mutex_);
  if (layer) ++found_;
  return layer;
}

template <class Result, class Read>
std::optional<Result> RegistryCache::find_in_places(const oci::Digest& key, Read read) {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    {
      const std::lock_guard lock(mutex_);
      if (closing_ || missed_.count(key) != 0) return std::nullopt;
      if (places_[i].lost) continue;
    }
    try {
      const auto known = artifact(places_[i], key);
      auto result = known ? read(i, *known) : std::nullopt;
      if (result) return result;
    } catch (const Error& error) {
      if (is_ours(error)) throw;
      note_failure(places_[i], error);
    }
  }
  const std::lock_guard lock(mutex_);
  missed_.insert(key);
  return std::nullopt;
}

std::optional<CacheArtifact> RegistryCache::artifact(Place& place,
                                                     const oci::Digest& key) {
  const std::string tag = CacheArtifact::tag_of(key);
  const auto text = place.at.read(tag);
  if (!text) return std::nullopt;
  return CacheArtifact::parse(*text, key, place.at.name + ":" + tag);
}

Tree RegistryCache::read_tree(std::size_t place, const CacheArtifact& artifact) {
  const CacheRepository& at = places_[place].at;
  const std::string name =
      fmt::format("{}:{}", at.name, CacheArtifact::tag_of(artifact.key));
  if (artifact.parts.empty()) throw Error(Errc::bad_input, name + " is no tree");
  const CacheArtifact::Part& written = artifact.parts.front();
  const auto text = store_.has(written.content.digest)
                        ? store_.open(written.content)
                        : open_part(*at.repository, written, "the tree of " + name);
  Tree tree = Tree::from_text(
      oci::read_all(*text, CacheArtifact::k_max_tree_text, "the tree of " + name));

  const auto parts = parts_of(tree, artifact, name);
  const std::lock_guard lock(mutex_);
  for (const CacheArtifact::Part& part : parts)
    promises_.emplace(part.content.digest, Promise{place, part});
  return tree;
}

oci::Layer RegistryCache::read_layer(Place& place, const CacheArtifact& artifact,
                                     const LayerKey& key) {
  const std::string name =
      fmt::format("{}:{}", place.at.name, CacheArtifact::tag_of(artifact.key));
  if (!artifact.layer ||
      artifact.layer->blob.media_type != oci::layer_media_type(key.compression)) {
    throw Error(Errc::bad_input, name + " is no layer of the kind that it should be");
  }
  const oci::Layer& layer = *artifact.layer;
  if (!store_.has(layer.blob.digest)) {
    oci::put(store_, *place.at.repository->open({layer.blob.digest, layer.blob.size}));
  }
  check_inside(layer, store_, "the layer of " + name);
  const std::lock_guard lock(mutex_);
  layers_.emplace(layer.blob.digest, place.at.name);
  return layer;
}

void RegistryCache::bring(const oci::BlobRef& blob) {
  const std::lock_guard one_at_a_time(bringing_);
  if (store_.has(blob.digest)) return;
  std::optional<Promise> promise;
  {
    const std::lock_guard lock(mutex_);
    const auto found = promises_.find(blob.digest);
    if (found != promises_.end()) promise = found->second;
  }
  if (!promise || promise->part.content != blob) {
    throw Error(Errc::not_found,
                fmt::format("no blob {} in the store", blob.digest.str()));
  }
  const CacheRepository& at = places_[promise->place].at;
  try {
    oci::put(store_, *open_part(*at.repository, promise->part,
                                "blob " + blob.digest.brief() + " of " + at.name));
  } catch (const Error& error) {
    if (is_ours(error)) throw;
    const std::lock_guard lock(mutex_);
    broke_promise_ = true;
    throw;
  }
}

bool RegistryCache::broke_promise() const {
  const std::lock_guard lock(mutex_);
  return broke_promise_;
}

void RegistryCache::give_up() {
  const std::lock_guard lock(mutex_);
  for (Place& place : places_)
    place.lost = true;
  promises_.clear();
  expected_.clear();
  answers_.clear();
  broke_promise_ = false;
}

bool RegistryCache::is_lost(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(places_.begin(), places_.end(), [&](const Place& place) {
    return place.lost && place.at.name == name;
  });
}

// One that does not answer would make every step wait. One that holds something wrong is
// asked for the rest: most likely only that is damaged.
void RegistryCache::note_failure(Place& place, const Error& error) {
  const std::lock_guard lock(mutex_);
  const bool lost = error.code() == Errc::unavailable || error.code() == Errc::denied;
  if (lost ? std::exchange(place.lost, true) : std::exchange(place.warned, true)) return;
  Error warning(error.code(),
                lost
                    ? fmt::format("the cache {} cannot be reached, going on without it",
                                  place.at.name)
                    : fmt::format("the cache {} holds something wrong, which is not used",
                                  place.at.name));
  warning.add_note(error.what());
  for (const std::string& note : error.notes())
    warning.add_note(note);
  if (!error.hint().empty()) warning.add_hint(error.hint());
  warnings_.push_back(std::move(warning));
}

std::vector<Error> RegistryCache::take_warnings() {
  const std::lock_guard lock(mutex_);
  return std::exchange(warnings_, {});
}

std::size_t RegistryCache::found() const {
  const std::lock_guard lock(mutex_);
  return found_;
}

std::vector<std::pair<oci::Digest, std::string>> RegistryCache::places_of_layers() const {
  const std::lock_guard lock(mutex_);
  return {layers_.begin(), layers_.end()};
}

}  // namespace lithify
