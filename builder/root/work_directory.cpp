#include "builder/root/work_directory.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/store/temporary_file.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

constexpr const char* k_lock_ending = ".lock";
constexpr int k_max_depth = 4096;  // of what a step may have left

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

int open_directory(int parent, const char* name) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = ::openat(parent, name, flags);
  if (fd < 0 && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0)
    fd = ::openat(parent, name, flags);
  return fd;
}

bool remove_at(int parent, const char* name, int depth) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
  if ((errno != EISDIR && errno != EPERM) || depth > k_max_depth) return false;
  if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) return true;
  const int fd = open_directory(parent, name);
  if (fd < 0) return false;
  ::fchmod(fd, 0700);  // names can be taken out of it then
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd));
  if (!directory) {
    ::close(fd);
    return false;
  }
  while (const dirent* entry = ::readdir(directory.get())) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      remove_at(fd, entry->d_name, depth + 1);
  }
  return ::unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

fs::path lock_of(const fs::path& directory) {
  return directory.string() + k_lock_ending;
}

}  // namespace

WorkDirectory::WorkDirectory(const fs::path& parent, Remover remove)
    : remove_(std::move(remove)) {
  oci::make_directories(parent);
  // The lock first: a directory without one is nobody's.
  for (;;) {
    std::string name = (parent / "step-XXXXXX").string();
    name += k_lock_ending;
    const int fd =
        ::mkostemps(name.data(), static_cast<int>(std::strlen(k_lock_ending)), O_CLOEXEC);
    if (fd < 0) throw oci::write_error(errno, "making a file in " + parent.string());
    lock_ = oci::Fd(fd);
    struct stat info {};
    // Somebody who removes the dead may have come between the making and the locking.
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) continue;
    if (::fstat(fd, &info) != 0 || info.st_nlink == 0) continue;
    path_ = name.substr(0, name.size() - std::strlen(k_lock_ending));
    break;
  }
  if (::mkdir(path_.c_str(), 0700) != 0) {
    const int why = errno;
    ::unlink(lock_of(path_).c_str());
    throw oci::write_error(why, "making " + path_.string());
  }
}

WorkDirectory::~WorkDirectory() {
  if (!kept_ && remove_(path_)) ::unlink(lock_of(path_).c_str());
}

void WorkDirectory::keep() {
  kept_ = true;
  ::unlink(lock_of(path_).c_str());
}

void remove_dead_work(const fs::path& parent, const Remover& remove) noexcept {
  try {
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(parent, gone)) {
      const fs::path& lock = entry.path();
      if (lock.extension() != k_lock_ending) continue;
      const oci::Fd fd(::open(lock.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
      if (!fd.valid() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
      fs::path directory = lock;
      directory.replace_extension();
      if (remove(directory)) ::unlink(lock.c_str());
    }
  } catch (const std::exception&) {
    // Whoever comes next tries again.
  }
}

bool remove_all_of(const fs::path& directory) noexcept {
  return remove_at(AT_FDCWD, directory.c_str(), 0);
}

}  // namespace lithify
