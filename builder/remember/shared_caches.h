// SharedStepCache and SharedLayerCache: the store's own caches, and a registry behind
// them. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "builder/remember/registry_cache.h"
#include "builder/remember/registry_cache_writer.h"
#include "builder/remember/step_cache.h"
#include "builder/tree/layer_cache.h"

namespace lithify {

// Where results come from and go to besides the store; both may be null, and outlive what
// uses them.
struct SharedCaches {
  RegistryCache* from = nullptr;
  RegistryCacheWriter* to = nullptr;
};

// Asks the store first. What a registry had is remembered there, and not offered to
// another one; everything else is.
class SharedStepCache final : public StepCache {
 public:
  SharedStepCache(std::unique_ptr<StepCache> own, SharedCaches shared)
      : own_(std::move(own)), shared_(shared) {}

  std::optional<Tree> find(const oci::Digest& key, const Step& step) override;
  void remember(const oci::Digest& key, const Step& step, const Tree& result) override;
  void note(const oci::Digest& key) override { own_->note(key); }
  bool knows(const oci::Digest& key) override { return own_->knows(key); }

 private:
  std::unique_ptr<StepCache> own_;
  SharedCaches shared_;
};

class SharedLayerCache final : public LayerCache {
 public:
  // Without `lookup` every layer is packed again, and remembered.
  SharedLayerCache(std::unique_ptr<LayerCache> own, SharedCaches shared, bool lookup)
      : own_(std::move(own)), shared_(shared), lookup_(lookup) {}

  std::optional<oci::Layer> find(const LayerKey& key) override;
  void remember(const LayerKey& key, const oci::Layer& layer) override;

 private:
  std::unique_ptr<LayerCache> own_;
  SharedCaches shared_;
  bool lookup_;
};

}  // namespace lithify
