#include "builder/caches/cache_archive.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/document_node.h"
#include "oci/layer/decompress.h"
#include "oci/layer/tar.h"

namespace lithify {

using nlohmann::json;
using oci::Entry;
using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

constexpr std::string_view k_directory = "caches/";
constexpr const char* k_hint = "`lithify cache export` writes such archives";

CacheName read_name(const oci::DocumentNode& node) {
  CacheName name{node.require("id").text(), 0};
  if (!is_cache_id(name.id)) node.refuse("is not the name of a cache");
  const auto number = node.find("number");
  if (!number) return name;
  if (number->number() < 1 || number->number() >= k_most_apart)
    number->refuse(fmt::format("is no number from 1 to {}", k_most_apart - 1));
  name.number = static_cast<unsigned>(number->number());
  return name;
}

// Gives back what was looked at, then the rest.
class Peeked final : public oci::Source {
 public:
  explicit Peeked(std::unique_ptr<oci::Source> from) : from_(std::move(from)) {
    first_.resize(oci::k_tar_block);
    std::size_t have = 0;
    while (have < first_.size()) {
      const std::size_t got =
          from_->read(std::as_writable_bytes(std::span(first_)).subspan(have));
      if (got == 0) break;
      have += got;
    }
    first_.resize(have);
  }
  const std::string& first() const { return first_; }
  std::size_t read(std::span<std::byte> into) override {
    if (at_ == first_.size()) return from_->read(into);
    const std::size_t size = std::min(into.size(), first_.size() - at_);
    std::copy_n(oci::as_bytes(first_).begin() + static_cast<std::ptrdiff_t>(at_), size,
                into.begin());
    at_ += size;
    return size;
  }

 private:
  std::unique_ptr<oci::Source> from_;
  std::string first_;
  std::size_t at_ = 0;
};

std::string brief(std::string_view path) {
  constexpr std::size_t k_shown = 200;
  return path.size() <= k_shown ? std::string(path)
                                : std::string(path.substr(0, k_shown)) + "…";
}

}  // namespace

std::string CacheIndex::text() const {
  json list = json::array();
  for (const CacheName& cache : caches) {
    json one = {{"id", cache.id}};
    if (cache.number != 0) one["number"] = cache.number;
    list.push_back(std::move(one));
  }
  return oci::canonical_json({{"caches", std::move(list)}, {"format", k_format}});
}

CacheIndex CacheIndex::parse(std::string_view text, const std::string& what) {
  const std::string where = fmt::format("{}: {}", what, k_member);
  const json document = oci::parse_json(text, where, k_max_text);
  const oci::DocumentNode root(document, where);
  const std::int64_t format = root.require("format").number();
  if (format > k_format) {
    throw Error(Errc::bad_input,
                fmt::format("{} was written by a newer lithify: its format is {}, this "
                            "one reads {}",
                            what, format, k_format))
        .add_hint("import it with the lithify that exported it, or export it anew");
  }
  if (format < k_format) root.require("format").refuse("is no format that ever was");
  CacheIndex index;
  for (const oci::DocumentNode& node : root.require("caches").items()) {
    CacheName name = read_name(node);
    if (!index.caches.empty() && name <= index.caches.back())
      node.refuse("is not in order");
    if (index.caches.size() == k_max_caches)
      node.refuse(fmt::format("is one more than the {} that may be", k_max_caches));
    index.caches.push_back(std::move(name));
  }
  return index;
}

std::string cache_member(const CacheName& cache) {
  return std::string(k_directory) + cache.str();
}

std::uint32_t cache_mode(FileType type, std::uint32_t mode) {
  constexpr std::uint32_t k_of_directories =
      03777;  // setgid is for who makes files there
  if (type == FileType::symlink) return 0777;
  return mode & (type == FileType::directory ? k_of_directories : 0777U);
}

oci::ArchiveLimits CacheArchiveReader::limits() {
  oci::ArchiveLimits limits;
  limits.entries = 5'000'000;   // as many as are packed
  limits.content = 1ULL << 40;  // a TiB
  limits.path = 4096 + 256;     // with the directory of its cache
  limits.depth = 256 + 3;       // the same
  limits.xattrs = 0;
  return limits;
}

CacheArchiveReader::CacheArchiveReader(std::unique_ptr<oci::Source> from,
                                       std::string name, const oci::ArchiveLimits& limits)
    : name_(std::move(name)), limits_(limits) {
  auto peeked = std::make_unique<Peeked>(
      oci::decompressed(std::move(from), oci::Filters::layer, name_, limits_));
  const bool is_tar = !peeked->first().empty() && oci::begins_as_tar(peeked->first());
  plain_ = std::move(peeked);
  if (!is_tar) throw Error(Errc::bad_input, name_ + " is no archive").add_hint(k_hint);
  tar_.emplace(*plain_, name_, limits_);
  read_index();
}

CacheArchiveReader::~CacheArchiveReader() = default;

void CacheArchiveReader::refuse(std::string_view path, std::string_view why) const {
  throw Error(Errc::bad_input, fmt::format("{}: member `{}` {}", name_, brief(path), why))
      .add_note(
          "`lithify cache import` takes nothing but what `lithify cache export` "
          "writes");
}

void CacheArchiveReader::refuse_stranger(std::string_view first_member) const {
  Error error(Errc::bad_input, name_ + " is no archive of caches");
  if (!first_member.empty()) {
    error.add_note(fmt::format("its first member is `{}`, and should be `{}`",
                               brief(first_member), CacheIndex::k_member));
  }
  throw error.add_hint(k_hint);
}

void CacheArchiveReader::read_index() {
  const std::optional<Entry> first = tar_->next();
  if (!first) refuse_stranger("");
  if (first->path != CacheIndex::k_member || first->type != FileType::regular)
    refuse_stranger(first->path);
  if (first->size > CacheIndex::k_max_text)
    refuse(first->path, fmt::format("has more than {} bytes", CacheIndex::k_max_text));
  std::string text(static_cast<std::size_t>(first->size), '\0');
  std::span<std::byte> rest = std::as_writable_bytes(std::span(text));
  while (!rest.empty())
    rest = rest.subspan(tar_->read(rest));
  index_ = CacheIndex::parse(text, name_);
}

// Where in the cache that has begun last a path is.
std::string CacheArchiveReader::place_in_cache(std::string_view path) const {
  if (begun_ > 0) {
    const std::string directory = cache_member(index_.caches[begun_ - 1]) + '/';
    if (path.starts_with(directory)) return std::string(path.substr(directory.size()));
  }
  refuse(path, "is in no cache of the index that begins before it");
}

std::string CacheArchiveReader::place(std::string_view path) {
  const bool next =
      begun_ < index_.caches.size() && path == cache_member(index_.caches[begun_]);
  if (next) {
    ++begun_;
    last_path_.clear();
    return "";
  }
  std::string placed = place_in_cache(path);
  if (placed <= last_path_) refuse(path, "is not in the order of names");
  last_path_ = placed;
  return placed;
}

void CacheArchiveReader::count(const Entry& entry) {
  if (++entries_ > limits_.entries)
    refuse(entry.path, fmt::format("is one more than {}, the limit", limits_.entries));
  if (entry.size > limits_.content - content_)
    refuse(entry.path,
           fmt::format("is beyond {} bytes of content, the limit", limits_.content));
  content_ += entry.size;
}

void CacheArchiveReader::check(const Entry& entry) const {
  const std::string& path = entry.path;
  if (path.empty() || !oci::is_clean_path(path)) refuse(path, "has no clean name");
  if (path.size() > limits_.path || entry.link.size() > limits_.path)
    refuse(path, fmt::format("has a name of more than {} bytes", limits_.path));
  const auto slashes = std::count(path.begin(), path.end(), '/');
  if (slashes >= static_cast<std::ptrdiff_t>(limits_.depth))
    refuse(path, fmt::format("is deeper than {} directories", limits_.depth));
  const bool known = entry.type == FileType::regular ||
                     entry.type == FileType::directory ||
                     entry.type == FileType::symlink || entry.type == FileType::hardlink;
  if (!known) refuse(path, "is a device or a pipe");
  const bool links = entry.type == FileType::symlink || entry.type == FileType::hardlink;
  if (links && entry.link.empty()) refuse(path, "links nowhere");
  if (entry.type == FileType::hardlink && !oci::is_clean_path(entry.link))
    refuse(path, "is a link to no clean name");
}

std::optional<CacheArchiveReader::Member> CacheArchiveReader::next() {
  std::optional<Entry> entry = tar_->next();
  if (!entry) {
    if (!tar_->saw_end_mark() || begun_ < index_.caches.size())
      throw Error(Errc::bad_input, name_ + " ends before its last member")
          .add_note("it was cut off on its way; nothing of it was used");
    return std::nullopt;
  }
  if (entry->type == FileType::directory && entry->path.ends_with('/'))
    entry->path.pop_back();
  check(*entry);
  count(*entry);
  const std::string shown = entry->path;
  const std::size_t begun = begun_;
  entry->path = place(shown);
  if (begun_ > begun && entry->type != FileType::directory)
    refuse(shown, "is no directory, as a cache must be");
  if (entry->type == FileType::hardlink) {
    entry->link = place_in_cache(entry->link);
    if (entry->link >= entry->path) refuse(shown, "is a link to what is not before it");
  }
  entry->attributes.mode = cache_mode(entry->type, entry->attributes.mode);
  entry->attributes.xattrs.clear();
  return Member{begun_ - 1, std::move(*entry)};
}

std::size_t CacheArchiveReader::read(std::span<std::byte> into) {
  return tar_->read(into);
}

}  // namespace lithify
