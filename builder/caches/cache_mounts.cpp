#include "builder/caches/cache_mounts.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <tuple>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "oci/base/digest.h"
#include "oci/base/error.h"
#include "oci/store/temporary_file.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

constexpr auto k_wait = std::chrono::milliseconds(100);
constexpr std::size_t k_most_id = 128;
constexpr int k_most_depth = 256;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Places hold ids of any length, in few letters.
std::string hashed(const std::string& id) {
  return oci::Digest::of(id).hex().substr(0, 16);
}

// The id that a place says it is for, if its name says so too.
std::optional<CacheMount> cache_at(const fs::path& home) {
  std::string id;
  try {
    id = oci::read_file(home / "id", k_most_id);
  } catch (const oci::Error&) {
    return std::nullopt;  // its maker was killed, or it is something else
  }
  const std::string name = home.filename().string();
  const std::string begin = hashed(id) + "-";
  if (!is_cache_id(id) || !name.starts_with(begin)) return std::nullopt;
  // "ZERO-COUNT" or "ZERO-COUNT-NUMBER".
  const std::string rest = name.substr(begin.size());
  const std::size_t first = rest.find('-');
  if (first == std::string::npos) return std::nullopt;
  const std::size_t second = rest.find('-', first + 1);
  CacheMount found{{id, 0}, rest.substr(0, second), home};
  if (second != std::string::npos) {
    const char* const end = rest.data() + rest.size();
    const auto [stop, problem] =
        std::from_chars(rest.data() + second + 1, end, found.name.number);
    if (problem != std::errc() || stop != end) return std::nullopt;
  }
  return found;
}

oci::Fd open_lock(const CacheMount& cache) {
  return oci::open_file(cache.home / "lock", O_RDWR | O_CREAT, 0600);
}

class Counter {
 public:
  explicit Counter(DirectoryUsage& usage) : usage_(usage) {}

  void count(int parent, const char* name, int depth) {
    const int fd =
        ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const std::unique_ptr<DIR, CloseDirectory> directory(fd < 0 ? nullptr
                                                                : ::fdopendir(fd));
    if (!directory) {
      if (fd >= 0) ::close(fd);
      if (errno == EACCES) usage_.all_seen = false;
      return;
    }
    while (const dirent* entry = ::readdir(directory.get())) {
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        add(fd, entry->d_name, depth);
    }
  }

 private:
  void add(int parent, const char* name, int depth) {
    struct stat info {};
    if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISDIR(info.st_mode)) {
      if (depth < k_most_depth) count(parent, name, depth + 1);
      return;
    }
    ++usage_.files;
    const bool first = info.st_nlink == 1 || seen_.insert(info.st_ino).second;
    if (S_ISREG(info.st_mode) && first)
      usage_.bytes += static_cast<std::uint64_t>(info.st_size);
  }

  DirectoryUsage& usage_;
  std::set<ino_t> seen_;
};

}  // namespace

std::string CacheName::str() const {
  return number == 0 ? id : fmt::format("{}@{}", id, number);
}

bool is_cache_id(std::string_view id) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !id.empty() && id.size() <= k_most_id && plain(id.front()) &&
         std::all_of(id.begin(), id.end(), [&](char c) {
           return plain(c) || c == '-' || c == '_' || c == '.';
         });
}

std::string cache_owners(const OwnerMap& owners) {
  return fmt::format("{}-{}", owners.uid.zero, owners.uid.count);
}

CacheMount cache_mount(const fs::path& caches, CacheName name, std::string owners) {
  std::string home = hashed(name.id) + "-" + owners;
  if (name.number != 0) home += fmt::format("-{}", name.number);
  return {std::move(name), std::move(owners), caches / home};
}

std::vector<CacheMount> find_caches(const fs::path& caches) {
  std::vector<CacheMount> found;
  std::error_code none;
  if (!fs::is_directory(caches, none)) return found;
  for (const fs::path& home : oci::files_in(caches)) {
    if (auto cache = cache_at(home)) found.push_back(std::move(*cache));
  }
  std::sort(found.begin(), found.end(), [](const CacheMount& a, const CacheMount& b) {
    return std::tie(a.name, a.owners) < std::tie(b.name, b.owners);
  });
  return found;
}

void make_cache(const CacheMount& cache, const OwnerMap* owner) {
  oci::make_directories(cache.data());
  if (owner != nullptr &&
      ::chown(cache.data().c_str(), owner->uid.zero, owner->gid.zero) != 0)
    throw oci::write_error(errno, "giving away " + cache.data().string());
  if (!fs::exists(cache.home / "id"))
    oci::write_file_atomically(cache.home / "id", cache.name.id);
}

oci::Fd lock_cache(const CacheMount& cache, CacheUse use, const std::stop_token& stop,
                   const std::function<void()>& waiting) {
  const int how = use == CacheUse::alone ? LOCK_EX : LOCK_SH;
  oci::Fd lock = open_lock(cache);
  for (bool told = false; ::flock(lock.get(), how | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      throw oci::errno_error(errno, "locking " + cache.home.string());
    if (stop.stop_requested()) throw oci::Cancelled();
    if (waiting && !std::exchange(told, true)) waiting();
    std::this_thread::sleep_for(k_wait);
  }
  ::futimens(lock.get(), nullptr);
  return lock;
}

std::optional<oci::Fd> try_lock_cache(const CacheMount& cache) {
  oci::Fd lock = open_lock(cache);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  ::futimens(lock.get(), nullptr);
  return lock;
}

void replace_cache(const CacheMount& cache, const fs::path& made) {
  const fs::path data = cache.data();
  const auto exchange = [&](unsigned flags) {
    return ::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, data.c_str(), flags) == 0;
  };
  if (exchange(RENAME_EXCHANGE)) return;
  if (errno == ENOENT && exchange(0)) return;
  if (errno == EINVAL) {  // a file system that cannot do both at once
    const fs::path aside = made.string() + ".old";
    if (::rename(data.c_str(), aside.c_str()) == 0 && exchange(0)) return;
  }
  throw oci::write_error(errno, "replacing " + data.string());
}

DirectoryUsage usage_of(const fs::path& directory) noexcept {
  DirectoryUsage usage;
  try {
    Counter(usage).count(AT_FDCWD, directory.c_str(), 0);
  } catch (const std::exception&) {
    usage.all_seen = false;
  }
  return usage;
}

}  // namespace lithify
