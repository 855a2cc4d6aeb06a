#include "builder/caches/unpack_caches.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/suggest.h"
#include "builder/root/work_directory.h"
#include "builder/tree/tree.h"

namespace lithify {

using oci::Entry;
using oci::Errc;
using oci::Error;
using oci::FileType;

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_buffer = 256 * 1024;

// Nobody compares the time of the last reading.
std::array<timespec, 2> times_of(const Entry& entry) {
  return {timespec{0, UTIME_OMIT}, timespec{static_cast<time_t>(entry.attributes.mtime),
                                            static_cast<long>(entry.mtime_fraction)}};
}

}  // namespace

CacheUnpacker::CacheUnpacker(const fs::path& directory, const OwnerMap& ids,
                             std::string shown, std::stop_token stop)
    : directory_(directory),
      ids_(ids),
      shown_(std::move(shown)),
      stop_(std::move(stop)),
      gives_away_(::geteuid() == 0),
      buffer_(k_buffer) {
  if (::mkdir(directory.c_str(), 0700) != 0)
    throw oci::write_error(errno, "making " + directory.string());
  root_ = oci::open_file(directory, O_RDONLY | O_DIRECTORY);
}

void CacheUnpacker::add(const Entry& entry, CacheArchiveReader& content) {
  if (stop_.stop_requested()) throw oci::Cancelled();
  if (entry.type == FileType::directory) {
    if (!entry.path.empty())
      require(::mkdirat(parent_fd(entry.path), std::string(name_of(entry.path)).c_str(),
                        0700),
              "making", entry.path);
    directories_.emplace(entry.path, entry);
    return;
  }
  ++travelled_.files;
  const int parent = parent_fd(entry.path);
  switch (entry.type) {
    case FileType::regular:
      return make_file(parent, entry, content);
    case FileType::symlink:
      return make_symlink(parent, entry);
    case FileType::hardlink:
      return make_link(parent, entry);
    default:
      throw Error(Errc::internal, entry.path + " is nothing that a cache has");
  }
}

void CacheUnpacker::make_file(int parent, const Entry& entry,
                              CacheArchiveReader& content) {
  const oci::Fd fd(::openat(parent, std::string(name_of(entry.path)).c_str(),
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  require(fd.get(), "making", entry.path);
  while (const std::size_t got = content.read(buffer_)) {
    if (stop_.stop_requested()) throw oci::Cancelled();
    oci::write_all(fd.get(), oci::Bytes(buffer_).first(got),
                   (directory_ / entry.path).string());
    travelled_.bytes += got;
  }
  finish_open(fd.get(), entry);
}

void CacheUnpacker::make_symlink(int parent, const Entry& entry) {
  const std::string name(name_of(entry.path));
  require(::symlinkat(entry.link.c_str(), parent, name.c_str()), "making", entry.path);
  const Owner owner = owner_of(entry.attributes);
  if (gives_away_)
    require(::fchownat(parent, name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW),
            "changing the owner of", entry.path);
  require(::utimensat(parent, name.c_str(), times_of(entry).data(), AT_SYMLINK_NOFOLLOW),
          "changing the time of", entry.path);
}

// All that is here was made from the archive, so what the link leads to was in it.
void CacheUnpacker::make_link(int parent, const Entry& entry) {
  const std::string target(name_of(entry.link));
  oci::Fd directory;
  try {
    directory = open_directory(std::string(parent_of(entry.link)));
  } catch (const Error&) {
    refuse(entry.path, "is a link to what is not before it");
  }
  struct stat info {};
  const int found =
      ::fstatat(directory.get(), target.c_str(), &info, AT_SYMLINK_NOFOLLOW);
  if (found != 0 || !S_ISREG(info.st_mode))
    refuse(entry.path, "is a link to no file before it");
  require(::linkat(directory.get(), target.c_str(), parent,
                   std::string(name_of(entry.path)).c_str(), 0),
          "linking", entry.path);
}

// The owner first: changing it takes permission bits away.
void CacheUnpacker::finish_open(int fd, const Entry& entry) {
  const Owner owner = owner_of(entry.attributes);
  if (gives_away_)
    require(::fchown(fd, owner.uid, owner.gid), "changing the owner of", entry.path);
  require(::fchmod(fd, entry.attributes.mode), "changing the mode of", entry.path);
  require(::futimens(fd, times_of(entry).data()), "changing the time of", entry.path);
}

Owner CacheUnpacker::owner_of(const oci::Attributes& attributes) {
  const auto uid = ids_.uid.on_disk(attributes.uid);
  const auto gid = ids_.gid.on_disk(attributes.gid);
  if (!uid || !gid) ++owners_lost_;
  return {uid.value_or(ids_.uid.zero), gid.value_or(ids_.gid.zero)};
}

TravelledCache CacheUnpacker::finish() {
  parent_ = oci::Fd();
  // The deepest first: a directory's mode may forbid going there.
  for (auto at = directories_.rbegin(); at != directories_.rend(); ++at)
    finish_open(open_directory(at->first).get(), at->second);
  return travelled_;
}

oci::Fd CacheUnpacker::open_directory(const std::string& path) const {
  return oci::open_beneath(root_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY,
                           (directory_ / path).string());
}

int CacheUnpacker::parent_fd(const std::string& path) {
  const std::string parent(parent_of(path));
  if (parent.empty()) return root_.get();
  if (parent == parent_name_ && parent_.valid()) return parent_.get();
  if (directories_.find(parent) == directories_.end())
    refuse(path, "is below what is no directory");
  parent_ = open_directory(parent);
  parent_name_ = parent;
  return parent_.get();
}

void CacheUnpacker::require(int result, const char* doing,
                            const std::string& path) const {
  if (result < 0)
    throw oci::write_error(errno,
                           fmt::format("{} {}", doing, (directory_ / path).string()));
}

void CacheUnpacker::refuse(const std::string& path, std::string_view why) const {
  throw Error(Errc::bad_input, fmt::format("{}: member `caches/{}/{}` {}", shown_,
                                           directory_.filename().string(), path, why));
}

namespace {

bool wanted(const CachesOf& which, const std::string& id) {
  return which.only.empty() ||
         std::find(which.only.begin(), which.only.end(), id) != which.only.end();
}

void check_wanted(const CachesOf& which, const CacheArchiveReader& archive) {
  std::vector<std::string> ids;
  for (const CacheName& cache : archive.caches()) {
    if (ids.empty() || ids.back() != cache.id) ids.push_back(cache.id);
  }
  for (const std::string& id : which.only) {
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
    Error error(Errc::not_found, fmt::format("{} has no cache `{}`", archive.name(), id));
    if (!ids.empty()) error.add_note(fmt::format("it has {}", fmt::join(ids, ", ")));
    const std::string meant = did_you_mean(id, ids);
    if (!meant.empty()) error.add_hint(meant);
    throw error;
  }
}

// An archive on its way into a work directory.
class Unpacking {
 public:
  Unpacking(const CachesOf& which, CacheArchiveReader& archive, const fs::path& directory,
            oci::Activity& activity, std::stop_token stop)
      : which_(which),
        archive_(archive),
        directory_(directory),
        activity_(activity),
        stop_(std::move(stop)) {}

  void read() {
    while (const auto member = archive_.next()) {
      const CacheName& name = archive_.caches()[member->cache];
      if (!wanted(which_, name.id)) continue;
      if (member->entry.path.empty()) begin(name);
      unpacker_->add(member->entry, archive_);
    }
    end();
  }

  std::vector<TravelledCache> put_in_place() {
    std::vector<CacheMount> caches;
    for (const TravelledCache& one : made_) {
      caches.push_back(cache_mount(which_.directory, one.name, which_.owners));
      make_cache(caches.back(), nullptr);
    }
    const std::vector<oci::Fd> held = take_all(caches);
    for (const CacheMount& cache : caches)
      replace_cache(cache, place_of(cache.name));
    return std::move(made_);
  }

 private:
  fs::path place_of(const CacheName& name) const { return directory_ / name.str(); }

  // All or none, since a command may hold one and wait for another.
  std::vector<oci::Fd> take_all(const std::vector<CacheMount>& caches) const {
    for (;;) {
      std::vector<oci::Fd> held;
      const auto busy =
          std::find_if(caches.begin(), caches.end(), [&](const CacheMount& cache) {
            std::optional<oci::Fd> lock = try_lock_cache(cache);
            if (lock) held.push_back(std::move(*lock));
            return !lock;
          });
      if (busy == caches.end()) return held;
      held.clear();
      lock_cache(*busy, CacheUse::alone, stop_, [&] {
        activity_.warn(fmt::format("waiting for a command that uses the cache {}",
                                   busy->name.str()));
      });
    }
  }

  void begin(const CacheName& name) {
    end();
    name_ = name;
    unpacker_.emplace(place_of(name), which_.ids, archive_.name(), stop_);
  }

  void end() {
    if (!unpacker_) return;
    TravelledCache one = unpacker_->finish();
    one.name = name_;
    if (const std::uint64_t lost = unpacker_->owners_lost(); lost > 0) {
      activity_.warn(fmt::format(
          "{} of the cache {}: the sandbox here does not have {}, 0:0 has {} now",
          lost == 1 ? "a file" : fmt::format("{} files", lost), name_.str(),
          lost == 1 ? "its owner" : "their owners", lost == 1 ? "it" : "them"));
    }
    made_.push_back(std::move(one));
    unpacker_.reset();
  }

  const CachesOf& which_;
  CacheArchiveReader& archive_;
  const fs::path directory_;
  oci::Activity& activity_;
  const std::stop_token stop_;
  CacheName name_;
  std::optional<CacheUnpacker> unpacker_;
  std::vector<TravelledCache> made_;
};

}  // namespace

std::vector<TravelledCache> unpack_caches(const CachesOf& which,
                                          CacheArchiveReader& archive,
                                          const fs::path& work, oci::Activity& activity,
                                          std::stop_token stop) {
  check_wanted(which, archive);
  remove_dead_work(work);
  const WorkDirectory directory(work);
  Unpacking unpacking(which, archive, directory.path(), activity, std::move(stop));
  unpacking.read();
  return unpacking.put_in_place();
}

}  // namespace lithify
