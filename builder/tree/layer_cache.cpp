#include "builder/tree/layer_cache.h"

#include <charconv>
#include <vector>

#include <fmt/format.h>

namespace lithify {

namespace {

std::string text_of(const LayerKey& key) {
  return fmt::format("{} {} {} {}", key.tree.str(), key.format,
                     static_cast<int>(key.compression), key.encoder);
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty() && words.size() < 8) {
    const std::size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

std::optional<oci::Layer> layer_of(std::string_view row) {
  const auto words = words_of(row);
  if (words.size() != 5) return std::nullopt;
  const auto digest = oci::Digest::parse(words[1]);
  const auto size = number_of(words[2]);
  const auto diff_id = oci::Digest::parse(words[3]);
  const auto uncompressed = number_of(words[4]);
  if (!digest || !size || !diff_id || !uncompressed) return std::nullopt;
  return oci::Layer{{std::string(words[0]), *digest, *size}, *diff_id, *uncompressed};
}

}  // namespace

std::optional<oci::Layer> StoredLayerCache::find(const LayerKey& key) {
  const auto row = database_.get(CacheDatabase::Table::layers, text_of(key));
  auto layer = row ? layer_of(*row) : std::nullopt;
  return layer && store_.has(layer->blob.digest) ? std::move(layer) : std::nullopt;
}

void StoredLayerCache::prune(const std::function<bool(const oci::Digest&)>& is_there) {
  database_.prune(CacheDatabase::Table::layers, [&](std::string_view row) {
    const auto layer = layer_of(row);
    return layer && is_there(layer->blob.digest);
  });
}

void StoredLayerCache::remember(const LayerKey& key, const oci::Layer& layer) {
  database_.put(
      CacheDatabase::Table::layers, text_of(key),
      fmt::format("{} {} {} {} {}", layer.blob.media_type, layer.blob.digest.str(),
                  layer.blob.size, layer.diff_id.str(), layer.uncompressed_size));
}

}  // namespace lithify
