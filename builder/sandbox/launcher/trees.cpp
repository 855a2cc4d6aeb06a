// trees: everything goes through descriptors, so that no path is resolved twice.
#include "builder/sandbox/launcher/trees.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/stat.h>

#include "builder/sandbox/launcher/kernel.h"
#include "builder/sandbox/launcher/tell.h"

namespace lithify {

namespace {

constexpr std::uint32_t k_max_lower = 60;  // their names must fit fsconfig's 256 bytes

int find_in_root(int root, const char* path, int flags) {
  if (*path == 0) path = ".";
  if (root == k_here) return ::open(path, O_PATH | O_CLOEXEC | flags);
  return open_in(root, path, static_cast<unsigned>(O_PATH | flags),
                 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
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
  const int tree = must(new_overlay(lower, upper, work), "mounting the overlay");
  must(::chdir("/"), "entering /");
  for (std::uint32_t i = 0; i < count; ++i)
    ::close(opened[i]);
  return tree;
}

}  // namespace

int new_mount(const char* type, const MountOption* options, std::uint64_t attributes) {
  const Handle context(::fsopen(type, FSOPEN_CLOEXEC));
  int bad = context < 0 ? -1 : 0;
  for (; bad == 0 && options->name != nullptr; ++options) {
    bad =
        options->value == nullptr
            ? ::fsconfig(context, FSCONFIG_SET_FLAG, options->name, nullptr, 0)
            : ::fsconfig(context, FSCONFIG_SET_STRING, options->name, options->value, 0);
  }
  if (bad == 0) bad = ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
  return bad == 0 ? ::fsmount(context, FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes))
                  : -1;
}

int new_overlay(const char* lower, const char* upper, const char* work) {
  const MountOption options[] = {{"source", "root"},     {"lowerdir", lower},
                                 {"upperdir", upper},    {"workdir", work},
                                 {"userxattr", nullptr}, {"index", "off"},
                                 {"volatile", nullptr},  {}};
  return new_mount("overlay", options, 0);
}

int copy_mount(const char* path, std::uint64_t device, std::uint64_t inode) {
  const Handle found(::open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status = {};
  if (found < 0 || ::fstat(found, &status) != 0) return -1;
  const bool other = device != 0 && (status.st_dev != device || status.st_ino != inode);
  if (!other && !S_ISLNK(status.st_mode))
    return ::open_tree(found, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  errno = other ? ESTALE : ELOOP;
  return -1;
}

void make_mounts_private() {
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr),
       "making mounts private");
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

void restrict_mount(int tree, std::uint64_t attributes, const char* what, int how_far) {
  mount_attr attribute = {};
  attribute.attr_set = attributes;
  must(::mount_setattr(tree, "", AT_EMPTY_PATH | how_far, &attribute, sizeof attribute),
       "restricting the mount of", what);
}

int place(int root, const char* path, bool directory) {
  path += std::strspn(path, "/");
  const int found = find_in_root(root, path, directory ? O_DIRECTORY : 0);
  if (found >= 0) return found;
  if (errno != ENOENT || *path == 0) fail("finding the mount point", path);
  const char* slash = std::strrchr(path, '/');
  const char* name = slash == nullptr ? path : slash + 1;
  const std::size_t length =
      slash == nullptr ? 0 : static_cast<std::size_t>(slash - path);
  const char* above = ::strndup(path, length);
  if (above == nullptr) fail("finding the mount point", path);
  if (*name == 0) return place(root, above, directory);
  const Handle parent(place(root, above, true));
  const int made = directory ? ::mkdirat(parent, name, 0755)
                             : ::mknodat(parent, name, S_IFREG | 0644, 0);
  // Another sandbox of the same root may have been faster.
  if (made < 0 && errno != EEXIST) fail("making the mount point", path);
  tell(k_wire_made, path);
  return must(::openat(parent, name, O_PATH | O_CLOEXEC | O_NOFOLLOW),
              "making the mount point", path);
}

void attach(int tree, int onto, const char* what) {
  must(
      ::move_mount(tree, "", onto, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
      "mounting", what);
}

}  // namespace lithify
