#include "builder/caches/pack_caches.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/stoppable_sink.h"
#include "oci/layer/tar.h"
#include "oci/layer/zstd_stream.h"
#include "oci/store/temporary_file.h"

#include "builder/caches/cache_archive.h"
#include "builder/plan/suggest.h"
#include "builder/tree/survey.h"
#include "builder/tree/tree.h"

namespace lithify {

using oci::Entry;
using oci::Errc;
using oci::Error;
using oci::FileType;

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_buffer = 256 * 1024;
constexpr std::uint32_t k_nobody = 65534;  // whom the sandbox shows for ids it has not
constexpr std::int64_t k_second = 1'000'000'000;

void write_zeros(oci::Sink& to, std::size_t count) {
  static constexpr std::array<std::byte, 2 * oci::k_tar_block> k_zeros{};
  to.write(oci::Bytes(k_zeros).first(count));
}

void write_index(oci::Sink& to, const std::vector<CacheMount>& caches) {
  CacheIndex index;
  for (const CacheMount& cache : caches)
    index.caches.push_back(cache.name);
  const std::string text = index.text();
  Entry entry;
  entry.path = CacheIndex::k_member;
  entry.attributes.mtime = k_constant_time;
  entry.size = text.size();
  to.write(oci::as_bytes(oci::tar_header(entry, oci::TarOf::files)));
  to.write(oci::as_bytes(text));
  write_zeros(to, oci::tar_padding(text.size()));
}

// What an archive can hold; nullopt: a socket, a pipe, a device.
std::optional<FileType> type_of(std::uint32_t mode) {
  if (S_ISREG(mode)) return FileType::regular;
  if (S_ISDIR(mode)) return FileType::directory;
  if (S_ISLNK(mode)) return FileType::symlink;
  return std::nullopt;
}

std::string target_of(int parent, const std::string& name, const std::string& shown) {
  std::string text(4096, '\0');
  const ssize_t size = ::readlinkat(parent, name.c_str(), text.data(), text.size());
  if (size <= 0) throw oci::errno_error(errno, "reading " + shown);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

// One directory on its way into the tar.
class CachePacker::Walk {
 public:
  Walk(CachePacker& packer, const CacheName& name, const fs::path& data)
      : packer_(packer),
        member_(cache_member(name)),
        shown_(data.string()),
        root_(oci::open_file(data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)),
        survey_(survey(root_, shown_, Closed::put_back, packer.stop_)) {
    travelled_.name = name;
  }

  TravelledCache run() {
    for (const auto& [path, seen] : survey_) {
      if (S_ISREG(seen.mode)) total_ += seen.size;
    }
    for (const auto& [path, seen] : survey_) {
      if (packer_.stop_.stop_requested()) throw oci::Cancelled();
      add(path, seen);
    }
    return travelled_;
  }

 private:
  void add(const std::string& path, const Surveyed& seen) {
    const std::optional<FileType> type = type_of(seen.mode);
    if (!type) {
      return packer_.activity_.warn(fmt::format(
          "{}/{} was left out: it is a socket, a pipe or a device", shown_, path));
    }
    Entry entry = entry_of(path, seen, *type);
    if (*type != FileType::directory) ++travelled_.files;
    if (*type == FileType::symlink) {
      entry.link = target_of(parent_fd(path), std::string(name_of(path)), shown(path));
    } else if (*type == FileType::regular && seen.links > 1) {
      const auto [first, fresh] = first_names_.try_emplace(seen.inode, entry.path);
      if (!fresh) {
        entry.type = FileType::hardlink;
        entry.link = first->second;
      }
    }
    if (entry.type == FileType::regular) entry.size = seen.size;
    packer_.tar_.write(oci::as_bytes(oci::tar_header(entry, oci::TarOf::files)));
    if (entry.type == FileType::regular) write_content(path, seen);
  }

  Entry entry_of(const std::string& path, const Surveyed& seen, FileType type) const {
    Entry entry;
    entry.path = path.empty() ? member_ : fmt::format("{}/{}", member_, path);
    entry.type = type;
    entry.attributes.mode = cache_mode(type, seen.mode);
    entry.attributes.uid = packer_.ids_.uid.in_sandbox(seen.uid).value_or(k_nobody);
    entry.attributes.gid = packer_.ids_.gid.in_sandbox(seen.gid).value_or(k_nobody);
    const std::int64_t fraction = (seen.mtime_ns % k_second + k_second) % k_second;
    entry.attributes.mtime = (seen.mtime_ns - fraction) / k_second;
    entry.mtime_fraction = static_cast<std::uint32_t>(fraction);
    return entry;
  }

  void write_content(const std::string& path, const Surveyed& seen) {
    const oci::Fd fd(::openat(parent_fd(path), std::string(name_of(path)).c_str(),
                              O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) throw oci::errno_error(errno, "opening " + shown(path));
    std::uint64_t left = seen.size;
    while (left > 0) {
      const auto want =
          static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
      const ssize_t got = ::read(fd.get(), buffer_.data(), want);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw oci::errno_error(errno, "reading " + shown(path));
      if (got == 0)
        throw Error(Errc::mismatch, shown(path) + " changed while it was packed")
            .add_hint("export again when nothing else writes to the store");
      const auto size = static_cast<std::size_t>(got);
      packer_.tar_.write(oci::Bytes(buffer_).first(size));
      left -= size;
      travelled_.bytes += size;
      packer_.activity_.advance(travelled_.bytes, total_);
    }
    write_zeros(packer_.tar_, oci::tar_padding(seen.size));
  }

  // Neighbours come one after another.
  int parent_fd(const std::string& path) {
    const std::string_view parent = parent_of(path);
    if (parent.empty()) return root_.get();
    if (parent != parent_name_) {
      parent_ = oci::open_beneath(root_, parent, O_PATH | O_DIRECTORY, shown(parent));
      parent_name_ = parent;
    }
    return parent_.get();
  }

  std::string shown(std::string_view path) const {
    return fmt::format("{}/{}", shown_, path);
  }

  CachePacker& packer_;
  const std::string member_;
  const std::string shown_;
  const oci::Fd root_;
  const Survey survey_;
  std::uint64_t total_ = 0;  // bytes, names of one file counted each
  TravelledCache travelled_;
  std::map<std::uint64_t, std::string> first_names_;  // by inode; as members
  oci::Fd parent_;
  std::string parent_name_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(k_buffer);
};

TravelledCache CachePacker::pack(const CacheName& name, const fs::path& data) {
  return Walk(*this, name, data).run();
}

std::vector<CacheMount> caches_to_pack(const CachesOf& which) {
  std::vector<CacheMount> caches = find_caches(which.directory);
  std::erase_if(caches,
                [&](const CacheMount& cache) { return cache.owners != which.owners; });
  std::vector<std::string> ids;
  for (const CacheMount& cache : caches) {
    if (ids.empty() || ids.back() != cache.name.id) ids.push_back(cache.name.id);
  }
  for (const std::string& wanted : which.only) {
    if (std::find(ids.begin(), ids.end(), wanted) != ids.end()) continue;
    Error error(Errc::not_found, fmt::format("the store has no cache `{}`", wanted));
    if (!ids.empty()) error.add_note(fmt::format("it has {}", fmt::join(ids, ", ")));
    const std::string meant = did_you_mean(wanted, ids);
    throw error.add_hint(meant.empty() ? "`lithify cache ls` lists them" : meant);
  }
  std::erase_if(caches, [&](const CacheMount& cache) {
    return !which.only.empty() && std::find(which.only.begin(), which.only.end(),
                                            cache.name.id) == which.only.end();
  });
  return caches;
}

std::vector<TravelledCache> pack_caches(const CachesOf& which, oci::Sink& to,
                                        oci::WorkerPool& workers, oci::Activity& activity,
                                        std::stop_token stop) {
  const std::vector<CacheMount> caches = caches_to_pack(which);
  oci::ZstdSink frames(to, workers);
  oci::StoppableSink tar(frames, stop);
  write_index(tar, caches);
  std::vector<TravelledCache> travelled;
  for (const CacheMount& cache : caches) {
    oci::Activity packing = activity.start("pack " + cache.name.str());
    const oci::Fd held = lock_cache(cache, CacheUse::alone, stop, [&] {
      packing.warn(
          fmt::format("waiting for a command that uses the cache {}", cache.name.str()));
    });
    oci::make_directories(cache.data());  // a killed command of L1 took it along
    travelled.push_back(
        CachePacker(tar, which.ids, packing, stop).pack(cache.name, cache.data()));
    packing.end(oci::Outcome::done);
  }
  write_zeros(tar, 2 * oci::k_tar_block);
  frames.finish();
  return travelled;
}

}  // namespace lithify
