// cache_archive: whatever the bytes, members come with the names, types and order that
// were promised, or an Error.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "oci/base/error.h"
#include "oci/layer/tar.h"

#include "builder/caches/cache_archive.h"

namespace {

void require(bool what) {
  if (!what) std::abort();
}

void check(const lithify::CacheArchiveReader::Member& member, bool begins) {
  const oci::Entry& entry = member.entry;
  require(oci::is_clean_path(entry.path));
  require(entry.path.empty() == begins);
  require(!begins || entry.type == oci::FileType::directory);
  require(entry.attributes.mode ==
          lithify::cache_mode(entry.type, entry.attributes.mode));
  require(entry.attributes.xattrs.empty());
  require(entry.mtime_fraction < 1'000'000'000);
  if (entry.type == oci::FileType::hardlink)
    require(oci::is_clean_path(entry.link) && !entry.link.empty() &&
            entry.link < entry.path);
}

void read(std::string bytes) {
  oci::ArchiveLimits limits = lithify::CacheArchiveReader::limits();
  limits.content = 1 << 20;
  limits.entries = 1000;
  lithify::CacheArchiveReader reader(
      std::make_unique<oci::StringSource>(std::move(bytes)), "it", limits);
  for (const lithify::CacheName& cache : reader.caches())
    require(lithify::is_cache_id(cache.id) && cache.number < lithify::k_most_apart);
  std::size_t begun = 0;
  std::string last;
  while (const auto member = reader.next()) {
    const bool begins = member->cache == begun;
    if (begins) ++begun;
    require(member->cache + 1 == begun && begun <= reader.caches().size());
    check(*member, begins);
    require(begins || member->entry.path > last);
    last = member->entry.path;
    std::array<std::byte, 4096> buffer;
    std::uint64_t size = 0;
    while (const std::size_t got = reader.read(buffer))
      size += got;
    require(size == member->entry.size);
  }
  require(begun == reader.caches().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    read(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const oci::Error&) {
  }
  return 0;
}
