// LayerCache: which layer blob a tree became, so that it is not packed again; the store's
// own is StoredLayerCache.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "oci/layer/layer_writer.h"

#include "builder/tree/cache_database.h"

namespace lithify {

// All that decides the bytes of a layer.
struct LayerKey {
  oci::Digest tree;  // of the change as it is written
  int format = 1;
  oci::Compression compression = oci::Compression::zstd;
  std::string encoder;  // encoder_identity(compression)
};

class LayerCache {
 public:
  virtual ~LayerCache() = default;
  // The blob of what is found is in the store.
  virtual std::optional<oci::Layer> find(const LayerKey& key) = 0;
  virtual void remember(const LayerKey& key, const oci::Layer& layer) = 0;
};

class StoredLayerCache final : public LayerCache {
 public:
  StoredLayerCache(CacheDatabase& database, const oci::BlobStore& store)
      : database_(database), store_(store) {}

  // nullopt too if the store no longer has the blob.
  std::optional<oci::Layer> find(const LayerKey& key) override;
  void remember(const LayerKey& key, const oci::Layer& layer) override;
  // Forgets layers that are not there any more.
  void prune(const std::function<bool(const oci::Digest&)>& is_there);

 private:
  CacheDatabase& database_;
  const oci::BlobStore& store_;
};

}  // namespace lithify
