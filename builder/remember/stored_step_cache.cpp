#include "builder/remember/stored_step_cache.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/tree_text.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::uint64_t k_max_tree_text = std::uint64_t{1} << 30;
constexpr std::string_view k_performed = "performed";  // the row of what is only noted

// "<digest> <size>"
std::optional<oci::BlobRef> to_blob(std::string_view text) {
  const std::size_t space = std::min(text.find(' '), text.size());
  const auto digest = oci::Digest::parse(text.substr(0, space));
  if (!digest || space == text.size()) return std::nullopt;
  std::uint64_t size = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + space + 1, end, size);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return oci::BlobRef{*digest, size};
}

}  // namespace

std::optional<Tree> StoredStepCache::find(const oci::Digest& key, const Step&) {
  return lookup_ == Lookup::no ? std::nullopt : at(key);
}

std::optional<Tree> StoredStepCache::made_before(const oci::Digest& tree) {
  return at(tree);
}

std::optional<Tree> StoredStepCache::at(const oci::Digest& key) {
  const auto row = database_.get(CacheDatabase::Table::steps, key.str());
  const auto blob = row ? to_blob(*row) : std::nullopt;
  if (!blob || !store_.has(blob->digest)) return std::nullopt;
  try {
    const auto source = store_.open(*blob);
    std::string text = oci::read_all(*source, k_max_tree_text, "a tree", blob->size);
    const std::vector<oci::Digest> blobs = blobs_of_tree_text(text);
    if (!std::all_of(blobs.begin(), blobs.end(),
                     [&](const oci::Digest& one) { return store_.has(one); }))
      return std::nullopt;
    return Tree::from_stored(std::move(text), blob->digest);
  } catch (const Error& e) {
    // The store has put a lying blob aside by now; the step makes it again.
    if (e.code() == Errc::machine || e.code() == Errc::internal) throw;
    return std::nullopt;
  }
}

void StoredStepCache::remember(const oci::Digest& key, const Step& step,
                               const Tree& result) {
  const oci::BlobRef blob = oci::put(store_, result.to_text());
  const std::string row = fmt::format("{} {}", blob.digest.str(), blob.size);
  database_.put(CacheDatabase::Table::steps, key.str(), row);
  const auto* run = std::get_if<Run>(&step.operation);
  if (run != nullptr && run->what.network == Network::pinned)
    database_.put(CacheDatabase::Table::steps, result.digest().str(), row);
}

void StoredStepCache::note(const oci::Digest& key) {
  database_.put(CacheDatabase::Table::steps, key.str(), k_performed);
}

bool StoredStepCache::knows(const oci::Digest& key) {
  return lookup_ == Lookup::yes &&
         database_.get(CacheDatabase::Table::steps, key.str()) == k_performed;
}

void StoredStepCache::prune(const std::function<bool(const oci::Digest&)>& is_there) {
  database_.prune(CacheDatabase::Table::steps, [&](std::string_view row) {
    const auto blob = to_blob(row);
    return blob && is_there(blob->digest);
  });
}

}  // namespace lithify
