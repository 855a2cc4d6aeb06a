#include "builder/root/root_stamp.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <dirent.h>
#include <exception>
#include <fcntl.h>
#include <iterator>
#include <memory>
#include <mutex>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "oci/base/digest.h"
#include "oci/base/error.h"

namespace lithify {

namespace {

constexpr int k_max_depth = 256;  // as survey() has it

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Facts of one directory's entries become one digest, so that it does not matter in which
// order threads come to them.
class Stamper {
 public:
  Stamper(const oci::Fd& root, std::stop_token stop)
      : root_(root), stop_(std::move(stop)) {}

  std::string run() {
    struct stat info {};
    if (::fstat(root_.get(), &info) != 0)
      throw oci::errno_error(errno, "looking at a root");
    todo_.push_back({".", 0});
    work_together();
    if (failure_) std::rethrow_exception(failure_);
    std::string facts;
    add_facts(info, "", facts);
    std::sort(done_.begin(), done_.end());
    for (const auto& [path, digest] : done_)
      facts += path + '\0' + digest;
    return oci::Digest::of(facts).hex();
  }

 private:
  struct Place {
    std::string path;
    int depth;
  };

  void work_together() {
    std::vector<std::jthread> helpers;
    const unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, k_most);
    try {
      for (unsigned helper = 1; helper < count; ++helper)
        helpers.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // This thread will do.
    }
    work();
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !todo_.empty() || busy_ == 0; });
      if (todo_.empty() || failure_) return;
      const Place place = std::move(todo_.back());
      todo_.pop_back();
      ++busy_;
      lock.unlock();
      std::vector<Place> below;
      std::string digest;
      std::exception_ptr failure;
      try {
        digest = oci::Digest::of(read(place, below)).hex();
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      --busy_;
      if (failure) failure_ = failure;
      done_.emplace_back(place.path, std::move(digest));
      std::move(below.begin(), below.end(), std::back_inserter(todo_));
      if (!below.empty() || busy_ == 0) changed_.notify_all();
    }
  }

  // The facts of what lies in a directory; its own directories are put into `below`.
  std::string read(const Place& place, std::vector<Place>& below) const {
    if (stop_.stop_requested()) throw oci::Cancelled();
    if (place.depth > k_max_depth)
      throw oci::Error(oci::Errc::bad_input, "a root is more than 256 levels deep");
    oci::Fd fd = oci::try_open_beneath(root_, place.path, O_RDONLY | O_DIRECTORY);
    if (!fd.valid() && errno == EACCES) return "closed";
    if (!fd.valid()) throw oci::errno_error(errno, "opening a directory of a root");
    const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd.get()));
    if (!directory) throw oci::errno_error(ENOMEM, "reading a directory of a root");
    fd.release();  // the directory's now
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string_view called = entry->d_name;
      if (called != "." && called != "..") names.emplace_back(called);
    }
    std::sort(names.begin(), names.end());
    std::string facts;
    for (const std::string& name : names) {
      struct stat info {};
      if (::fstatat(::dirfd(directory.get()), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) !=
          0)
        throw oci::errno_error(errno, "looking at a file of a root");
      add_facts(info, name, facts);
      if (S_ISDIR(info.st_mode))
        below.push_back({place.path + '/' + name, place.depth + 1});
    }
    return facts;
  }

  static void add_facts(const struct stat& info, const std::string& name,
                        std::string& facts) {
    const std::array<std::int64_t, 9> numbers = {
        static_cast<std::int64_t>(info.st_ino),
        info.st_mode,
        info.st_uid,
        info.st_gid,
        info.st_size,
        static_cast<std::int64_t>(info.st_mtim.tv_sec),
        static_cast<std::int64_t>(info.st_ctim.tv_sec),
        static_cast<std::int64_t>(info.st_ctim.tv_nsec),
        static_cast<std::int64_t>(name.size())};
    facts.append(reinterpret_cast<const char*>(numbers.data()), sizeof numbers);
    facts += name;
  }

  static constexpr unsigned k_most = 4;

  const oci::Fd& root_;
  const std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Place> todo_;
  unsigned busy_ = 0;
  std::vector<std::pair<std::string, std::string>> done_;  // path and digest
  std::exception_ptr failure_;
};

}  // namespace

std::string root_stamp(const oci::Fd& root, std::stop_token stop) {
  return Stamper(root, std::move(stop)).run();
}

}  // namespace lithify
