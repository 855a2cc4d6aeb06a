// trees: everything goes through descriptors, so that no path is resolved twice.
#include "builder/sandbox/launcher/trees.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <sys/stat.h>

#include "builder/sandbox/launcher/kernel.h"
#include "builder/sandbox/launcher/tell.h"

namespace lithify {

namespace {

constexpr std::uint32_t k_max_lower = 60;  // their names must fit fsconfig's 256 bytes

// Without openat2 a symlink on the way is refused, which is safe and rarely needed.
int walk_in_root(int root, const char* path, int flags) {
  char name[NAME_MAX + 1];
  int at = ::fcntl(root, F_DUPFD_CLOEXEC, 0);
  while (at >= 0 && *path != 0) {
    const std::size_t length = std::strcspn(path, "/");
    if (length > NAME_MAX || std::strncmp(path, "..", length < 2 ? 2 : length) == 0) {
      ::close(at);
      errno = EINVAL;
      return -1;
    }
    std::memcpy(name, path, length);
    name[length] = 0;
    path += length + std::strspn(path + length, "/");
    if (length == 0 || std::strcmp(name, ".") == 0) continue;
    const int above = at;
    at = ::openat(above, name,
                  O_PATH | O_CLOEXEC | O_NOFOLLOW | (*path ? O_DIRECTORY : flags));
    const int error = errno;
    ::close(above);
    errno = error;
  }
  return at;
}

int find_in_root(int root, const char* path, int flags) {
  const int found =
      open_in(root, *path ? path : ".", static_cast<unsigned>(O_PATH | flags),
              RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (found >= 0 || (errno != ENOSYS && errno != EPERM)) return found;
  return walk_in_root(root, path, flags);
}

// The last name of `path`, whose other names are open as `above`.
int make_in(int above, const char* path, bool directory) {
  const char* slash = std::strrchr(path, '/');
  const char* name = slash == nullptr ? path : slash + 1;
  int made = 0;
  if (directory) {
    made = ::mkdirat(above, name, 0755);
  } else {
    made =
        ::openat(above, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (made >= 0) ::close(made);
  }
  // Another sandbox of the same root may have been faster.
  if (made < 0 && errno != EEXIST) return -1;
  tell(k_wire_made, path);
  return ::openat(above, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
}

int overlay_mount(const PlanReader& plan) {
  const WirePlan& wire = plan.plan();
  if (wire.lower.count > k_max_lower) {
    errno = E2BIG;
    fail("mounting the overlay");
  }
  // Descriptors instead of paths: nothing to escape, nothing too long.
  char lower[512] = {};
  char upper[16];
  char work[16];
  int opened[k_max_lower + 2] = {};
  std::uint32_t count = 0;
  const auto hold = [&](const char* path, char* into, const char* before) {
    const int fd = must(::open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                        "opening", path);
    opened[count++] = fd;
    std::snprintf(into, 16, "%s%d", before, fd);
  };
  for (std::uint32_t i = 0; i < wire.lower.count; ++i)
    hold(plan.lower(i), lower + std::strlen(lower), i == 0 ? "" : ":");
  hold(plan.text(wire.upper), upper, "");
  hold(plan.text(wire.work), work, "");
  must(::chdir("/proc/self/fd"), "entering /proc/self/fd");
  const MountOption options[] = {{"source", "root"},
                                 {"lowerdir", lower},
                                 {"upperdir", upper},
                                 {"workdir", work},
                                 {"userxattr", nullptr},
                                 {"index", "off"},
                                 {"volatile", nullptr},
                                 {}};
  const int tree = must(new_mount("overlay", options, 0), "mounting the overlay");
  must(::chdir("/"), "entering /");
  for (std::uint32_t i = 0; i < count; ++i)
    ::close(opened[i]);
  return tree;
}

}  // namespace

int new_mount(const char* type, const MountOption* options, std::uint64_t attributes) {
  const int context = ::fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  int bad = 0;
  for (; bad == 0 && options->name != nullptr; ++options) {
    bad =
        options->value == nullptr
            ? ::fsconfig(context, FSCONFIG_SET_FLAG, options->name, nullptr, 0)
            : ::fsconfig(context, FSCONFIG_SET_STRING, options->name, options->value, 0);
  }
  if (bad == 0) bad = ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  const int tree =
      bad == 0 ? ::fsmount(context, FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes))
               : -1;
  const int error = errno;
  ::close(context);
  errno = error;
  return tree;
}

int copy_mount(const char* path, std::uint64_t device, std::uint64_t inode) {
  const int found = ::open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (found < 0) return -1;
  struct stat status = {};
  int tree = -1;
  if (::fstat(found, &status) == 0) {
    if (device != 0 && (status.st_dev != device || status.st_ino != inode)) {
      errno = ESTALE;
    } else if (S_ISLNK(status.st_mode)) {
      errno = ELOOP;
    } else {
      tree = ::open_tree(found, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    }
  }
  const int error = errno;
  ::close(found);
  errno = error;
  return tree;
}

void copy_trees(const PlanReader& plan, Trees& trees) {
  const WirePlan& wire = plan.plan();
  if (plan.has(k_wire_probe)) {
    const MountOption options[] = {{"size", "1m"}, {"mode", "0755"}, {}};
    trees.root = must(new_mount("tmpfs", options, 0), "mounting a tmpfs");
  } else if (wire.lower.count > 0) {
    trees.root = overlay_mount(plan);
  } else {
    const char* root = plan.text(wire.root);
    trees.root = must(copy_mount(root, wire.root_device, wire.root_inode),
                      "taking the root", root);
  }
  for (std::uint32_t i = 0; i < wire.mounts.count; ++i) {
    const WireMount& mount = plan.mount(i);
    trees.binds[i] = -1;
    if (mount.kind != k_wire_bind) continue;
    const char* source = plan.text(mount.source);
    trees.binds[i] =
        must(copy_mount(source, mount.device, mount.inode), "taking", source);
  }
}

void restrict_mount(int tree, std::uint64_t attributes, const char* what) {
  mount_attr attribute = {};
  attribute.attr_set = attributes;
  must(::mount_setattr(tree, "", AT_EMPTY_PATH, &attribute, sizeof attribute),
       "restricting the mount of", what);
}

int place(int root, const char* path, bool directory) {
  path += std::strspn(path, "/");
  const int found = find_in_root(root, path, directory ? O_DIRECTORY : 0);
  if (found >= 0) return found;
  if (errno != ENOENT) fail("finding the mount point", path);
  char prefix[PATH_MAX];
  const std::size_t length = std::strlen(path);
  if (length >= sizeof prefix) {
    errno = ENAMETOOLONG;
    fail("finding the mount point", path);
  }
  int at = find_in_root(root, "", O_DIRECTORY);
  for (std::size_t end = 0; at >= 0 && end < length;) {
    end += std::strcspn(path + end, "/");
    std::memcpy(prefix, path, end);
    prefix[end] = 0;
    const bool last = path[end + std::strspn(path + end, "/")] == 0;
    int next = find_in_root(root, prefix, last && !directory ? 0 : O_DIRECTORY);
    if (next < 0 && errno == ENOENT) next = make_in(at, prefix, !last || directory);
    const int error = errno;
    ::close(at);
    errno = error;
    at = next;
    end += std::strspn(path + end, "/");
  }
  return must(at, "making the mount point", path);
}

void attach(int tree, int onto, const char* what) {
  must(
      ::move_mount(tree, "", onto, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
      "mounting", what);
}

}  // namespace lithify
