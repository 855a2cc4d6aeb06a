#include "builder/remember/shared_caches.h"

namespace lithify {

std::optional<Tree> SharedStepCache::find(const oci::Digest& key, const Step& step) {
  if (auto tree = own_->find(key, step)) {
    if (shared_.to != nullptr) shared_.to->offer(key, step, *tree);
    return tree;
  }
  // A step that was performed on files of the user's is in no registry.
  if (shared_.from == nullptr || !is_worth_keeping(step) || own_->knows(key)) {
    return std::nullopt;
  }
  auto tree = shared_.from->find(key);
  if (tree) own_->remember(key, step, *tree);
  return tree;
}

void SharedStepCache::remember(const oci::Digest& key, const Step& step,
                               const Tree& result) {
  own_->remember(key, step, result);
  if (shared_.to != nullptr) shared_.to->offer(key, step, result);
}

std::optional<oci::Layer> SharedLayerCache::find(const LayerKey& key) {
  if (!lookup_) return std::nullopt;
  if (auto layer = own_->find(key)) {
    if (shared_.to != nullptr) shared_.to->offer(key, *layer);
    return layer;
  }
  auto layer =
      shared_.from != nullptr ? shared_.from->find(key) : std::optional<oci::Layer>();
  if (layer) own_->remember(key, *layer);
  return layer;
}

void SharedLayerCache::remember(const LayerKey& key, const oci::Layer& layer) {
  own_->remember(key, layer);
  if (shared_.to != nullptr) shared_.to->offer(key, layer);
}

}  // namespace lithify
