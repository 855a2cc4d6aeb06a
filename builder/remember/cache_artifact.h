// CacheArtifact: what a registry keeps of one result: the format, as a value.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/store/blob_store.h"

#include "builder/tree/layer_cache.h"

namespace lithify {

// An artifact is an OCI manifest (artifactType k_type, the empty configuration) under the
// tag tag_of(key). It names no time, tool, host or platform: equal results with equal
// encoders are equal manifests.
//
// A step's has the text of its tree first and then, in the order of their digests, every
// blob that the tree's files are slices of, all as zstd_compressed(); each names what is
// inside by k_content and k_size. A layer's has the one layer as images have it, so that
// a push can mount it; k_diff_id and k_size say what is inside.
//
// Annotations of the manifest: k_key, the whole key; k_result, the digest of the tree's
// text or of the layer; k_encoder, of whom the bytes come.
struct CacheArtifact {
  static constexpr std::string_view k_type = "application/vnd.lithify.cache.v1";
  static constexpr std::string_view k_tree = "application/vnd.lithify.tree.v1+zstd";
  static constexpr std::string_view k_blob = "application/vnd.lithify.blob.v1+zstd";
  static constexpr std::string_view k_empty = "application/vnd.oci.empty.v1+json";
  static constexpr std::string_view k_empty_text = "{}";
  static constexpr std::uint64_t k_max_tree_text = std::uint64_t{64} << 20;
  // Each takes less than 400 bytes of a manifest, which has 4 MiB at most.
  static constexpr std::size_t k_max_blobs = 10'000;

  // Something that was compressed, and as what it is stored.
  struct Part {
    oci::BlobRef content;
    oci::BlobRef stored;
    bool operator==(const Part&) const = default;
  };

  oci::Digest key;
  oci::Digest result;
  std::string encoder;
  std::vector<Part> parts = {};          // of a step: the text, then its blobs
  std::optional<oci::Layer> layer = {};  // of a layer

  // "k1-" and the first 40 digits of the key. The number is that of this format: another
  // one is another name, and what has the old name is never asked for again.
  static std::string tag_of(const oci::Digest& key);

  std::string manifest() const;
  // Throws Errc::bad_input for what is no artifact, and Errc::mismatch if it is that of
  // another key. `what` names it in messages.
  static CacheArtifact parse(std::string_view manifest, const oci::Digest& key,
                             std::string_view what);
};

// All that decides the bytes of a layer, as the key of an artifact.
oci::Digest cache_key(const LayerKey& key);

}  // namespace lithify
