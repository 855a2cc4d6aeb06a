#include "builder/run/root_stamp.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "oci/base/digest.h"
#include "oci/base/error.h"

namespace lithify {

namespace {

constexpr int k_max_depth = 256;  // as survey() has it

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

class Stamper {
 public:
  explicit Stamper(std::stop_token stop) : stop_(std::move(stop)) {}

  std::string run(const oci::Fd& root) {
    struct stat info {};
    if (::fstat(root.get(), &info) != 0)
      throw oci::errno_error(errno, "looking at a root");
    add_facts(info, "");
    read(root.get(), ".", 0);
    return std::move(hasher_).finish().hex();
  }

 private:
  void read(int parent, const char* name, int depth) {
    if (stop_.stop_requested()) throw oci::Cancelled();
    if (depth > k_max_depth)
      throw oci::Error(oci::Errc::bad_input, "a root is more than 256 levels deep");
    const int fd =
        ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) return;
    if (fd < 0) throw oci::errno_error(errno, "opening a directory of a root");
    const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd));
    if (!directory) {
      ::close(fd);
      throw oci::errno_error(ENOMEM, "reading a directory of a root");
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory.get())) {
      const std::string_view called = entry->d_name;
      if (called != "." && called != "..") names.emplace_back(called);
    }
    std::sort(names.begin(), names.end());
    for (const std::string& one : names)
      add(fd, one, depth);
    hasher_.update("\n");
  }

  void add(int directory, const std::string& name, int depth) {
    struct stat info {};
    if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      throw oci::errno_error(errno, "looking at a file of a root");
    add_facts(info, name);
    if (S_ISDIR(info.st_mode)) read(directory, name.c_str(), depth + 1);
  }

  void add_facts(const struct stat& info, const std::string& name) {
    const std::array<std::int64_t, 9> facts = {
        static_cast<std::int64_t>(info.st_ino),
        info.st_mode,
        info.st_uid,
        info.st_gid,
        info.st_size,
        static_cast<std::int64_t>(info.st_mtim.tv_sec),
        static_cast<std::int64_t>(info.st_ctim.tv_sec),
        static_cast<std::int64_t>(info.st_ctim.tv_nsec),
        static_cast<std::int64_t>(name.size())};
    hasher_.update({reinterpret_cast<const std::byte*>(facts.data()), sizeof facts});
    hasher_.update(name);
  }

  const std::stop_token stop_;
  oci::Hasher hasher_;
};

}  // namespace

std::string root_stamp(const oci::Fd& root, std::stop_token stop) {
  return Stamper(std::move(stop)).run(root);
}

}  // namespace lithify
