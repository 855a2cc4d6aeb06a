#include "builder/tree/survey.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::size_t k_max_names = 5'000'000;
constexpr std::size_t k_max_path = 4096;
constexpr std::size_t k_max_depth = 256;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

Surveyed surveyed(const struct stat& info) {
  Surveyed seen;
  seen.mode = info.st_mode;
  seen.uid = info.st_uid;
  seen.gid = info.st_gid;
  seen.size = static_cast<std::uint64_t>(info.st_size);
  seen.links = info.st_nlink;
  seen.device = info.st_dev;
  seen.inode = info.st_ino;
  seen.is_device = info.st_rdev;
  seen.mtime_ns = nanoseconds(info.st_mtim);
  seen.ctime_ns = nanoseconds(info.st_ctim);
  return seen;
}

// Opens a directory for reading whatever its permission bits say.
class OpenDirectory {
 public:
  OpenDirectory(int parent, const char* name, Closed closed, const std::string& shown) {
    int fd = open_it(parent, name);
    if (fd < 0 && errno == EACCES) {
      struct stat info {};
      if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
          ::fchmodat(parent, name, (info.st_mode & 07777) | 0700, 0) == 0) {
        fd = open_it(parent, name);
        if (closed == Closed::put_back) restore_ = static_cast<int>(info.st_mode & 07777);
      }
    }
    if (fd < 0) throw oci::errno_error(errno, "opening " + shown);
    directory_.reset(::fdopendir(fd));
    if (!directory_) {
      const int why = errno;
      ::close(fd);
      throw oci::errno_error(why, "reading " + shown);
    }
  }
  ~OpenDirectory() {
    if (restore_ >= 0) ::fchmod(fd(), static_cast<mode_t>(restore_));
  }
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;

  DIR* get() const { return directory_.get(); }
  int fd() const { return ::dirfd(directory_.get()); }

 private:
  static int open_it(int parent, const char* name) {
    return ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }

  Directory directory_;
  int restore_ = -1;
};

class Surveyor {
 public:
  Surveyor(const std::string& shown, Closed closed, std::stop_token stop)
      : shown_(shown), closed_(closed), stop_(std::move(stop)) {}

  Survey run(const oci::Fd& root) {
    struct stat info {};
    if (::fstat(root.get(), &info) != 0)
      throw oci::errno_error(errno, "looking at " + shown_);
    device_ = info.st_dev;
    result_.emplace("", surveyed(info));
    read(root.get(), ".", "", 0);
    return std::move(result_);
  }

 private:
  void read(int parent, const char* name, const std::string& path, std::size_t depth) {
    if (depth > k_max_depth) refuse(path, fmt::format("is {} levels deep", depth));
    if (stop_.stop_requested()) throw oci::Cancelled();
    const OpenDirectory directory(parent, name, closed_, shown_of(path));
    while (const dirent* entry = next(directory, path)) {
      const std::string_view called = entry->d_name;
      if (called == "." || called == "..") continue;
      const std::string at =
          path.empty() ? std::string(called) : fmt::format("{}/{}", path, called);
      if (at.size() > k_max_path) refuse(at.substr(0, 80) + "...", "is too long a path");
      add(directory, entry->d_name, at, depth);
    }
  }

  void add(const OpenDirectory& directory, const char* name, const std::string& path,
           std::size_t depth) {
    struct stat info {};
    if (::fstatat(directory.fd(), name, &info, AT_SYMLINK_NOFOLLOW) != 0)
      throw oci::errno_error(errno, "looking at " + shown_of(path));
    if (result_.size() >= k_max_names)
      refuse("", fmt::format("holds more than {} files", k_max_names));
    result_.emplace(path, surveyed(info));
    if (S_ISDIR(info.st_mode) && info.st_dev == device_)
      read(directory.fd(), name, path, depth + 1);
  }

  const dirent* next(const OpenDirectory& directory, const std::string& path) const {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0)
      throw oci::errno_error(errno, "reading " + shown_of(path));
    return entry;
  }

  std::string shown_of(const std::string& path) const { return shown_ + "/" + path; }

  [[noreturn]] void refuse(const std::string& path, const std::string& why) const {
    throw Error(Errc::bad_input, fmt::format("{}/{} {}", shown_, path, why));
  }

  const std::string& shown_;
  const Closed closed_;
  const std::stop_token stop_;
  dev_t device_ = 0;
  Survey result_;
};

}  // namespace

Survey survey(const oci::Fd& root, const std::string& shown, Closed closed,
              std::stop_token stop) {
  return Surveyor(shown, closed, std::move(stop)).run(root);
}

}  // namespace lithify
