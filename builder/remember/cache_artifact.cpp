#include "builder/remember/cache_artifact.h"

#include <charconv>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/layer/compress.h"

#include "builder/plan/key.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

using Annotations = std::map<std::string, std::string>;

constexpr const char* k_key = "dev.lithify.key";
constexpr const char* k_result = "dev.lithify.result";
constexpr const char* k_encoder = "dev.lithify.encoder";
constexpr const char* k_content = "dev.lithify.content";
constexpr const char* k_diff_id = "dev.lithify.diff-id";
constexpr const char* k_size = "dev.lithify.size";

[[noreturn]] void refuse(std::string_view what, std::string_view why) {
  throw Error(Errc::bad_input, fmt::format("{}: {}", what, why));
}

const std::string& text_of(const Annotations& all, const char* name,
                           std::string_view what) {
  const auto found = all.find(name);
  if (found == all.end()) refuse(what, fmt::format("the annotation {} is missing", name));
  return found->second;
}

oci::Digest digest_of(const Annotations& all, const char* name, std::string_view what) {
  const auto digest = oci::Digest::parse(text_of(all, name, what));
  if (!digest) refuse(what, fmt::format("the annotation {} is no digest", name));
  return *digest;
}

std::uint64_t size_in(const Annotations& all, std::string_view what) {
  const std::string& text = text_of(all, k_size, what);
  std::uint64_t size = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, size);
  constexpr std::uint64_t k_most = std::numeric_limits<std::int64_t>::max();
  if (problem != std::errc() || stop != end || size > k_most) {
    refuse(what, fmt::format("the annotation {} is no size", k_size));
  }
  return size;
}

oci::Descriptor describe(const CacheArtifact::Part& part, std::string_view type) {
  oci::Descriptor which{std::string(type), part.stored.digest, part.stored.size};
  which.annotations = {{k_content, part.content.digest.str()},
                       {k_size, std::to_string(part.content.size)}};
  return which;
}

// The type of a layer is the caller's to judge: it knows what it asked for.
void read_layer(const oci::Manifest& manifest, CacheArtifact& into,
                std::string_view what) {
  const oci::Descriptor& blob = manifest.layers.front();
  if (manifest.layers.size() != 1) refuse(what, "one layer was expected");
  if (blob.digest != into.result) refuse(what, "the layer is not the result");
  into.layer = {{blob.media_type, blob.digest, blob.size},
                digest_of(blob.annotations, k_diff_id, what),
                size_in(blob.annotations, what)};
}

void read_parts(const oci::Manifest& manifest, CacheArtifact& into,
                std::string_view what) {
  for (const oci::Descriptor& layer : manifest.layers) {
    const std::string_view expected =
        into.parts.empty() ? CacheArtifact::k_tree : CacheArtifact::k_blob;
    if (layer.media_type != expected) refuse(what, "a layer has another media type");
    const oci::BlobRef content{digest_of(layer.annotations, k_content, what),
                               size_in(layer.annotations, what)};
    if (into.parts.size() > 1 && content.digest <= into.parts.back().content.digest) {
      refuse(what, "the blobs are not in order");
    }
    into.parts.push_back({content, {layer.digest, layer.size}});
  }
  const oci::BlobRef& text = into.parts.front().content;
  if (text.digest != into.result) refuse(what, "the tree is not the result");
  if (text.size > CacheArtifact::k_max_tree_text) {
    refuse(what, "the text of the tree has more than 64 MiB");
  }
  if (into.parts.size() > CacheArtifact::k_max_blobs + 1) refuse(what, "too many blobs");
}

}  // namespace

std::string CacheArtifact::tag_of(const oci::Digest& key) {
  return "k1-" + key.hex().substr(0, 40);
}

std::string CacheArtifact::manifest() const {
  oci::Manifest manifest{"", std::string(k_type), oci::describe(k_empty_text, k_empty)};
  if (layer) {
    oci::Descriptor which = layer->blob;
    which.annotations = {{k_diff_id, layer->diff_id.str()},
                         {k_size, std::to_string(layer->uncompressed_size)}};
    manifest.layers.push_back(std::move(which));
  }
  for (const Part& part : parts)
    manifest.layers.push_back(describe(part, manifest.layers.empty() ? k_tree : k_blob));
  manifest.annotations = {
      {k_key, key.str()}, {k_result, result.str()}, {k_encoder, encoder}};
  return manifest.str();
}

CacheArtifact CacheArtifact::parse(std::string_view text, const oci::Digest& key,
                                   std::string_view what) {
  const oci::Manifest manifest = oci::Manifest::parse(text, what);
  if (manifest.artifact_type != k_type) refuse(what, "this is nothing that lithify put");
  const oci::Digest written = digest_of(manifest.annotations, k_key, what);
  if (written != key) {
    throw Error(Errc::mismatch, fmt::format("{} is the result of {}, not of {}", what,
                                            written.brief(), key.brief()));
  }
  CacheArtifact artifact{key, digest_of(manifest.annotations, k_result, what),
                         text_of(manifest.annotations, k_encoder, what)};
  if (manifest.layers.empty()) refuse(what, "there is no result");
  if (manifest.layers.front().media_type == k_tree) {
    read_parts(manifest, artifact, what);
  } else {
    read_layer(manifest, artifact, what);
  }
  return artifact;
}

oci::Digest cache_key(const LayerKey& key) {
  KeyDocument document;
  document.field("layer-of", key.tree)
      .field("format", static_cast<std::int64_t>(key.format))
      .field("media-type", oci::layer_media_type(key.compression))
      .field("encoder", key.encoder);
  return document.digest();
}

}  // namespace lithify
