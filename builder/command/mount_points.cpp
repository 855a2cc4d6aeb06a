#include "builder/command/mount_points.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/tree/tree_path.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

class Maker {
 public:
  Maker(const fs::path& root, const OwnerMap& owners) : root_(root), owners_(owners) {}

  void make(const std::string& path, bool directory) {
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      if (!make_one(path.substr(0, end), true)) return;
    }
    make_one(path, directory);
  }

  std::vector<std::string> take() { return std::move(made_); }

 private:
  // False: something else stands there.
  bool make_one(const std::string& path, bool directory) {
    const fs::path at = root_ / path;
    struct stat info {};
    if (::lstat(at.c_str(), &info) == 0) return S_ISDIR(info.st_mode);
    if (directory) {
      if (::mkdir(at.c_str(), 0755) != 0)
        throw oci::write_error(errno, "making " + at.string());
    } else {
      oci::open_file(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    }
    if (::geteuid() == 0 && ::lchown(at.c_str(), owners_.uid.zero, owners_.gid.zero) != 0)
      throw oci::write_error(errno, "giving away " + at.string());
    made_.push_back(path);
    return true;
  }

  const fs::path& root_;
  const OwnerMap& owners_;
  std::vector<std::string> made_;
};

bool is_directory_mount(const SandboxMount& mount) {
  if (mount.kind != SandboxMount::Kind::bind)
    return mount.kind == SandboxMount::Kind::tmpfs;
  std::error_code problem;
  return fs::is_directory(mount.source, problem);
}

}  // namespace

std::vector<std::string> make_mount_points(const fs::path& root,
                                           const SandboxPlan& plan) {
  Maker maker(root, plan.owners);
  for (const char* own : {"dev", "proc", "sys"})
    maker.make(own, true);
  for (const SandboxMount& mount : plan.mounts)
    maker.make(tree_path(mount.target), is_directory_mount(mount));
  return maker.take();
}

}  // namespace lithify
