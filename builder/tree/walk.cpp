#include "builder/tree/walk.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

constexpr std::size_t k_max_entries = 5'000'000;
constexpr std::size_t k_max_depth = 256;
constexpr std::size_t k_max_path = 4096;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

const char* kind_of(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a fifo";
  return "a device";
}

class Walk {
 public:
  Walk(const oci::Fd& root, const CaptureRequest& request, oci::WorkerPool& workers,
       std::stop_token stop)
      : root_(root), request_(request), workers_(workers), stop_(std::move(stop)) {}

  WalkedDirectory run() {
    WalkedDirectory result;
    submit("", result, 0);
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return outstanding_ == 0; });
    if (stop_.stop_requested()) throw oci::Cancelled();
    if (!failures_.empty()) std::rethrow_exception(failures_.begin()->second);
    return result;
  }

 private:
  // `into` outlives the task: run() waits for all of them.
  void submit(std::string path, WalkedDirectory& into, std::size_t depth) {
    {
      const std::lock_guard lock(mutex_);
      ++outstanding_;
    }
    workers_.submit([this, path = std::move(path), &into, depth] {
      try {
        if (!stop_.stop_requested() && !failed_) read(path, into, depth);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        failed_ = true;
        failures_.emplace(path, std::current_exception());
      }
      const std::lock_guard lock(mutex_);
      if (--outstanding_ == 0) idle_.notify_all();
    });
  }

  void read(const std::string& path, WalkedDirectory& into, std::size_t depth) {
    if (depth > k_max_depth) {
      throw Error(Errc::bad_input, fmt::format("{} is more than {} directories deep",
                                               full(path), k_max_depth));
    }
    const Directory directory = open(path);
    const int fd = ::dirfd(directory.get());
    errno = 0;
    while (const dirent* found = ::readdir(directory.get())) {
      const std::string_view name = found->d_name;
      if (name != "." && name != "..") look(fd, path, *found, into);
      errno = 0;
    }
    if (errno != 0) throw oci::errno_error(errno, "reading the directory " + full(path));
    std::sort(into.entries.begin(), into.entries.end(),
              [](const Walked& a, const Walked& b) { return a.name < b.name; });
    for (Walked& entry : into.entries) {
      if (entry.directory) submit(joined(path, entry.name), *entry.directory, depth + 1);
    }
  }

  Directory open(const std::string& path) const {
    constexpr int k_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    oci::Fd fd =
        open_walked(root_, path.empty() ? "." : path.c_str(), k_flags, full(path));
    DIR* raw = ::fdopendir(fd.get());
    if (!raw) throw oci::errno_error(errno, "reading the directory " + full(path));
    fd.release();
    return Directory(raw);
  }

  void look(int fd, const std::string& directory, const dirent& found,
            WalkedDirectory& into) {
    const std::string path = joined(directory, found.d_name);
    const bool taken = !request_.takes || request_.takes(path);
    // Nothing is asked of the kernel about what nobody wants.
    if (!taken && found.d_type != DT_UNKNOWN && found.d_type != DT_DIR) return;
    if (!taken && request_.descends && !request_.descends(path)) return;
    struct stat info {};
    if (::fstatat(fd, found.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      throw oci::errno_error(errno, "looking at " + full(path));
    }
    if (!taken && !S_ISDIR(info.st_mode)) return;
    check_name(found.d_name, path);
    into.entries.push_back(walked(fd, found.d_name, path, info));
    into.entries.back().taken = taken;
  }

  Walked walked(int fd, const char* name, const std::string& path,
                const struct stat& info) const {
    Walked entry;
    entry.name = name;
    entry.mode = info.st_mode & 07777;
    entry.stamp = stamp_of(info);
    if (S_ISDIR(info.st_mode)) {
      entry.type = FileType::directory;
      entry.directory = std::make_unique<WalkedDirectory>();
    } else if (S_ISLNK(info.st_mode)) {
      entry.type = FileType::symlink;
      entry.link = link_text(fd, name, path);
    } else if (!S_ISREG(info.st_mode)) {
      throw Error(Errc::bad_input,
                  fmt::format("{} is {}; only files, directories and symlinks "
                              "can go into an image",
                              full(path), kind_of(info.st_mode)))
          .add_hint("leave it out with `exclude`");
    }
    return entry;
  }

  std::string link_text(int fd, const char* name, const std::string& path) const {
    std::array<char, k_max_path + 1> text;
    const ssize_t size = ::readlinkat(fd, name, text.data(), text.size());
    if (size < 0) throw oci::errno_error(errno, "reading the symlink " + full(path));
    if (size == 0 || static_cast<std::size_t>(size) == text.size()) {
      throw Error(Errc::bad_input,
                  fmt::format("the symlink {} is empty or longer than {} bytes",
                              full(path), k_max_path));
    }
    return std::string(text.data(), static_cast<std::size_t>(size));
  }

  void check_name(std::string_view name, const std::string& path) {
    if (name.substr(0, 4) == ".wh.") {
      throw Error(Errc::bad_input,
                  fmt::format("{}: a name that begins with \".wh.\" means a "
                              "removal in an image's layer",
                              full(path)))
          .add_hint("leave it out with `exclude`");
    }
    if (path.size() > k_max_path) {
      throw Error(Errc::bad_input,
                  fmt::format("{} is longer than {} bytes", full(path), k_max_path));
    }
    if (++entries_ > k_max_entries) {
      throw Error(Errc::bad_input, fmt::format("{} holds more than {} files",
                                               request_.path, k_max_entries));
    }
  }

  static std::string joined(const std::string& directory, std::string_view name) {
    std::string path;
    path.reserve(directory.size() + 1 + name.size());
    path.append(directory);
    if (!path.empty()) path += '/';
    return path.append(name);
  }
  std::string full(const std::string& path) const { return joined(request_.path, path); }

  const oci::Fd& root_;
  const CaptureRequest& request_;
  oci::WorkerPool& workers_;
  std::stop_token stop_;
  std::atomic<std::size_t> entries_ = 0;
  std::atomic<bool> failed_ = false;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t outstanding_ = 0;
  std::map<std::string, std::exception_ptr> failures_;
};

}  // namespace

oci::Fd open_walked(const oci::Fd& root, std::string_view path, int flags,
                    const std::string& shown) {
  try {
    return oci::open_beneath(root, path, flags, shown);
  } catch (Error& error) {
    if (error.code() == Errc::bad_input)
      error.add_hint("make it readable, or leave it out with `exclude`");
    throw;
  }
}

FileStamp stamp_of(const struct stat& info) {
  const auto ns = [](const struct timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
          ns(info.st_mtim), ns(info.st_ctim)};
}

WalkedDirectory walk(const oci::Fd& root, const CaptureRequest& request,
                     oci::WorkerPool& workers, std::stop_token stop) {
  return Walk(root, request, workers, std::move(stop)).run();
}

}  // namespace lithify
