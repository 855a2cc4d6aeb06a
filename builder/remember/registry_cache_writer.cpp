#include "builder/remember/registry_cache_writer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "oci/base/worker_pool.h"
#include "oci/image/manifest.h"
#include "oci/layer/zstd_stream.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

oci::Digest result_of(const std::variant<Tree, oci::Layer>& result) {
  if (const auto* tree = std::get_if<Tree>(&result)) return tree->digest();
  return std::get<oci::Layer>(result).blob.digest;
}

// In the order of their digests.
std::set<oci::BlobRef> blobs_of(const Tree& tree) {
  std::set<oci::BlobRef> blobs;
  for (const auto& [path, node] : tree.nodes()) {
    if (!node.content) continue;
    if (const auto* slice = std::get_if<Slice>(&*node.content)) blobs.insert(slice->blob);
  }
  return blobs;
}

}  // namespace

bool is_worth_keeping(const Step& step) {
  const auto* edit = std::get_if<Edit>(&step.operation);
  if (edit == nullptr) return std::holds_alternative<Run>(step.operation);
  return std::any_of(edit->actions.begin(), edit->actions.end(),
                     [](const FileAction& action) {
                       return !std::holds_alternative<WriteAction>(action) &&
                              !std::holds_alternative<MergeAction>(action) &&
                              !std::holds_alternative<MakeDirectoryAction>(action) &&
                              !std::holds_alternative<SymlinkAction>(action);
                     });
}

RegistryCacheWriter::RegistryCacheWriter(CacheRepository to,
                                         const oci::BlobStore& contents)
    : to_(std::move(to)), contents_(contents) {}

void RegistryCacheWriter::offer(const oci::Digest& key, const Step& step,
                                const Tree& result) {
  if (!is_worth_keeping(step) || result.has_local_files()) return;
  const std::lock_guard lock(mutex_);
  if (!offered_.insert(key).second) return;
  offers_.push_back(
      {key, step.label, result, oci::encoder_identity(oci::Compression::zstd)});
}

void RegistryCacheWriter::offer(const LayerKey& key, const oci::Layer& layer) {
  const oci::Digest name = cache_key(key);
  const std::lock_guard lock(mutex_);
  if (!offered_.insert(name).second) return;
  offers_.push_back({name, "layer " + layer.blob.digest.brief(), layer, key.encoder});
}

RegistryCacheWriter::Saved RegistryCacheWriter::save(oci::Activity& activity,
                                                     std::stop_token stop,
                                                     unsigned parallel) {
  std::vector<Offer> offers;
  {
    const std::lock_guard lock(mutex_);
    offers.swap(offers_);
  }
  std::mutex starting;  // starting a child is the parent's act
  std::vector<std::future<void>> saves;
  oci::WorkerPool workers(std::max(1U, parallel));
  for (const Offer& offer : offers) {
    saves.push_back(workers.submit([&] {
      if (stop.stop_requested()) throw oci::Cancelled();
      std::unique_lock lock(starting);
      oci::Activity one = activity.start("keep " + offer.label);
      lock.unlock();
      save(offer, one, stop);
    }));
  }
  for (auto& one : saves)
    one.wait();
  for (auto& one : saves)
    one.get();
  const std::lock_guard lock(mutex_);
  return saved_;
}

void RegistryCacheWriter::save(const Offer& offer, oci::Activity& activity,
                               const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    if (lost_) return activity.end(oci::Outcome::cached);
  }
  try {
    const bool there = is_there(offer);
    if (!there) send(offer, activity, stop);
    activity.end(there ? oci::Outcome::cached : oci::Outcome::done);
    const std::lock_guard lock(mutex_);
    ++(there ? saved_.there : saved_.written);
  } catch (const Error& error) {
    note_failure(offer, error);
  } catch (const oci::Cancelled&) {
    throw;
  } catch (const std::exception& error) {
    // No memory, no directory for temporary files: the build has succeeded without.
    note_failure(offer, Error(Errc::machine, error.what()));
  }
}

void RegistryCacheWriter::send(const Offer& offer, oci::Activity& activity,
                               const std::stop_token& stop) {
  const std::string text = make(offer, activity, stop).manifest();
  const oci::Descriptor which = oci::describe(text, oci::media_type::k_manifest);
  to_.repository->put_manifest(which, oci::as_bytes(text));
  try {
    to_.write_tag(CacheArtifact::tag_of(offer.key), which);
  } catch (const Error& error) {
    // Somebody else was there in between.
    if (error.code() != Errc::refused || !is_there(offer)) throw;
  }
}

// Compares results, not manifests: another encoder packs the same result otherwise.
bool RegistryCacheWriter::is_there(const Offer& offer) {
  const std::string tag = CacheArtifact::tag_of(offer.key);
  const auto text = to_.read(tag);
  if (!text) return false;
  const CacheArtifact known =
      CacheArtifact::parse(*text, offer.key, to_.name + ":" + tag);
  const oci::Digest ours = result_of(offer.result);
  if (known.result != ours) {
    warn(
        Error(Errc::mismatch,
              fmt::format("`{}` is not reproducible: its result differs from that in {}",
                          offer.label, to_.name))
            .add_note(fmt::format("the cache has {}, this build made {}",
                                  known.result.str(), ours.str()))
            .add_note("what is there stays; one of the two machines, or whoever may "
                      "write to the cache, is wrong")
            .add_hint(fmt::format("build with --no-cache; if that agrees, delete the tag "
                                  "{} there",
                                  tag)));
  }
  if (known.encoder != offer.encoder) return true;
  const std::lock_guard lock(mutex_);
  for (const CacheArtifact::Part& part : known.parts) {
    std::promise<CacheArtifact::Part> there;
    there.set_value(part);
    stored_.emplace(part.content.digest, there.get_future().share());
  }
  return true;
}

CacheArtifact RegistryCacheWriter::make(const Offer& offer, oci::Activity& activity,
                                        std::stop_token stop) {
  CacheArtifact artifact{offer.key, result_of(offer.result), offer.encoder};
  put_empty();
  if (const auto* layer = std::get_if<oci::Layer>(&offer.result)) {
    to_.repository->take(contents_, {layer->blob.digest, layer->blob.size}, activity,
                         std::move(stop));
    artifact.layer = *layer;
    const std::lock_guard lock(mutex_);
    layers_.push_back(layer->blob.digest);
    return artifact;
  }
  const Tree& tree = std::get<Tree>(offer.result);
  const std::set<oci::BlobRef> blobs = blobs_of(tree);
  const std::string text = tree.to_text();
  if (blobs.size() > CacheArtifact::k_max_blobs ||
      text.size() > CacheArtifact::k_max_tree_text) {
    throw Error(Errc::bad_input,
                fmt::format("the result of `{}` is too large for a cache", offer.label));
  }
  artifact.parts.push_back(stored_text(text));
  for (const oci::BlobRef& blob : blobs) {
    if (stop.stop_requested()) throw oci::Cancelled();
    artifact.parts.push_back(stored(blob));
  }
  return artifact;
}

CacheArtifact::Part RegistryCacheWriter::stored(const oci::BlobRef& content) {
  std::promise<CacheArtifact::Part> promise;
  std::shared_future<CacheArtifact::Part> known;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [at, is_new] = stored_.try_emplace(content.digest);
    if (is_new) at->second = promise.get_future().share();
    first = is_new;
    known = at->second;
  }
  if (first) {
    // Whoever waits for it gets what it throws.
    try {
      promise.set_value(store_anew(content, contents_.open(content)));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }
  return known.get();
}

CacheArtifact::Part RegistryCacheWriter::stored_text(const std::string& text) {
  return store_anew({oci::Digest::of(text), text.size()},
                    std::make_unique<oci::StringSource>(text));
}

CacheArtifact::Part RegistryCacheWriter::store_anew(const oci::BlobRef& content,
                                                    std::unique_ptr<oci::Source> from) {
  const auto compressed = oci::zstd_compressed(std::move(from));
  const oci::BlobRef blob = oci::put(*to_.repository, *compressed);
  const std::lock_guard lock(mutex_);
  saved_.bytes += blob.size;
  return {content, blob};
}

void RegistryCacheWriter::put_empty() {
  {
    const std::lock_guard lock(mutex_);
    if (empty_is_there_) return;
  }
  oci::put(*to_.repository, CacheArtifact::k_empty_text);
  const std::lock_guard lock(mutex_);
  empty_is_there_ = true;
}

void RegistryCacheWriter::note_failure(const Offer& offer, const Error& error) {
  const bool lost = error.code() == Errc::unavailable || error.code() == Errc::denied;
  {
    const std::lock_guard lock(mutex_);
    if (lost ? std::exchange(lost_, true) : std::exchange(warned_, true)) return;
  }
  Error warning(error.code(),
                lost ? fmt::format("the cache {} cannot be written to", to_.name)
                     : fmt::format("`{}` could not be put into the cache {}", offer.label,
                                   to_.name));
  warning.add_note(error.what());
  for (const std::string& note : error.notes())
    warning.add_note(note);
  if (!error.hint().empty()) warning.add_hint(error.hint());
  warn(std::move(warning));
}

void RegistryCacheWriter::warn(Error warning) {
  const std::lock_guard lock(mutex_);
  warnings_.push_back(std::move(warning));
}

std::vector<oci::Digest> RegistryCacheWriter::layers() const {
  const std::lock_guard lock(mutex_);
  return layers_;
}

std::vector<Error> RegistryCacheWriter::take_warnings() {
  const std::lock_guard lock(mutex_);
  return std::exchange(warnings_, {});
}

}  // namespace lithify
