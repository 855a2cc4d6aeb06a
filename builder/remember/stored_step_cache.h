// StoredStepCache: results of steps in the store, found by the steps' keys.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "oci/store/blob_store.h"

#include "builder/remember/step_cache.h"
#include "builder/tree/cache_database.h"

namespace lithify {

// The text of a tree is a blob of the store; the table holds its name.
class StoredStepCache final : public StepCache {
 public:
  enum class Lookup { yes, no };  // no: --no-cache; results are remembered all the same

  StoredStepCache(CacheDatabase& database, oci::BlobStore& store,
                  Lookup lookup = Lookup::yes)
      : database_(database), store_(store), lookup_(lookup) {}

  // A tree is found only if the store has every blob that its files are slices of.
  // Damage anywhere is a miss.
  std::optional<Tree> find(const oci::Digest& key, const Step& step) override;
  void remember(const oci::Digest& key, const Step& step, const Tree& result) override;
  void note(const oci::Digest& key) override;
  bool knows(const oci::Digest& key) override;
  // What a command with network: pinned made, by the digest of its tree, under whatever
  // key: for who compares. Also with Lookup::no.
  std::optional<Tree> made_before(const oci::Digest& tree);
  // Forgets what names trees that are not there any more.
  void prune(const std::function<bool(const oci::Digest&)>& is_there);

 private:
  std::optional<Tree> at(const oci::Digest& key);
  CacheDatabase& database_;
  oci::BlobStore& store_;
  Lookup lookup_;
};

}  // namespace lithify
