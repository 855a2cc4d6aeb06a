#include "builder/tree/stat_cache.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

namespace lithify {

namespace {

// Then for each file: fixed part, path. Integers are the machine's own: the cache never
// leaves it.
constexpr std::string_view k_header = "lithify-stat 1\n";

struct Fixed {
  FileStamp stamp;
  std::array<std::byte, 32> digest;
  std::uint64_t path_size;
};
static_assert(sizeof(Fixed) == 80);

}  // namespace

StatRecord::StatRecord(std::string text) : text_(std::move(text)) {
  if (text_.compare(0, k_header.size(), k_header) != 0) text_.clear();
  at_ = std::min(k_header.size(), text_.size());
}

std::optional<oci::Digest> StatRecord::next(std::string_view path,
                                            const FileStamp& stamp) {
  const auto digest = find(path, stamp);
  all_found_ = all_found_ && digest;
  return digest;
}

std::optional<oci::Digest> StatRecord::find(std::string_view path,
                                            const FileStamp& stamp) {
  while (text_.size() - at_ >= sizeof(Fixed)) {
    Fixed fixed;
    std::memcpy(&fixed, text_.data() + at_, sizeof fixed);
    if (fixed.path_size > text_.size() - at_ - sizeof fixed) break;
    const std::string_view known(text_.data() + at_ + sizeof fixed, fixed.path_size);
    if (known > path) return std::nullopt;
    all_found_ = all_found_ && known == path;
    at_ += sizeof fixed + fixed.path_size;
    if (known == path) {
      return fixed.stamp == stamp ? std::optional(oci::Digest::from_raw(fixed.digest))
                                  : std::nullopt;
    }
  }
  return std::nullopt;
}

void StatRecord::reserve(std::size_t files, std::size_t path_bytes) {
  text_.reserve(k_header.size() + files * sizeof(Fixed) + path_bytes);
}

void StatRecord::add(std::string_view path, const FileStamp& stamp,
                     const oci::Digest& digest) {
  if (text_.empty()) text_ = k_header;
  const Fixed fixed{stamp, digest.raw(), path.size()};
  text_.append(reinterpret_cast<const char*>(&fixed), sizeof fixed);
  text_.append(path);
}

// A row is the directory, a zero byte, and the record.
StatRecord StatCache::load(const oci::Digest& key) {
  auto row = database_.get(CacheDatabase::Table::files, key.str());
  if (!row) return {};
  const std::size_t end = row->find('\0');
  if (end == std::string::npos) return {};
  row->erase(0, end + 1);
  return StatRecord(std::move(*row));
}

void StatCache::save(const oci::Digest& key, const std::string& directory,
                     const StatRecord& record) {
  database_.put(CacheDatabase::Table::files, key.str(), directory + '\0' + record.text());
}

void StatCache::prune() {
  database_.prune(CacheDatabase::Table::files, [](std::string_view row) {
    const std::size_t end = row.find('\0');
    std::error_code unknown;
    return end != std::string_view::npos &&
           (std::filesystem::exists(row.substr(0, end), unknown) || unknown);
  });
}

}  // namespace lithify
