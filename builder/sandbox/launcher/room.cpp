// room: the order matters. What needs the old root comes before it is let go.
#include "builder/sandbox/launcher/room.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "builder/sandbox/launcher/kernel.h"
#include "builder/sandbox/launcher/tell.h"

namespace lithify {

namespace {

constexpr std::uint64_t k_plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
constexpr std::uint64_t k_inert = k_plain | MOUNT_ATTR_NOEXEC;

struct Device {
  const char* name;
  const char* path;
  unsigned major;
  unsigned minor;
};
constexpr Device k_devices[] = {
    {"dev/null", "/dev/null", 1, 3},       {"dev/zero", "/dev/zero", 1, 5},
    {"dev/full", "/dev/full", 1, 7},       {"dev/random", "/dev/random", 1, 8},
    {"dev/urandom", "/dev/urandom", 1, 9}, {"dev/tty", "/dev/tty", 5, 0},
};

struct Link {
  const char* name;
  const char* to;
};
constexpr Link k_links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
    {"ptmx", "pts/ptmx"},
};

// Of /proc, what OCI runtimes hide and what they make read-only (runtime-spec's defaults
// as containers have them).
constexpr const char* k_hidden[] = {
    "acpi",          "asound",      "kcore",       "keys",       "kmsg",
    "latency_stats", "sched_debug", "scsi",        "timer_list", "timer_stats",
    "kpagecount",    "kpageflags",  "kpagecgroup", "interrupts", "kallsyms",
    "vmallocinfo",   "slabinfo",    "modules"};
constexpr const char* k_read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

// What the root has at one of our own names must be a directory, not a link to one:
// images bring links here to lead us elsewhere.
int own_directory(int root, const char* name) {
  struct stat status = {};
  if (::fstatat(root, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      !S_ISDIR(status.st_mode)) {
    errno = ENOTDIR;
    fail("the root's own", name);
  }
  return place(root, name, true);
}

void mount_new(int root, const char* at, const char* type, const MountOption* options,
               std::uint64_t attributes) {
  const int tree = must(new_mount(type, options, attributes), "mounting", at);
  attach(tree, place(root, at, true), at);
}

void make_links(int dev) {
  for (const Link& link : k_links)
    must(::symlinkat(link.to, dev, link.name), "linking /dev", link.name);
}

void make_devices(int root, bool id_range) {
  const int onto = own_directory(root, "dev");
  const MountOption options[] = {{"size", "1m"}, {"mode", "0755"}, {}};
  const int dev = must(new_mount("tmpfs", options, k_inert), "mounting /dev");
  for (const Device& device : k_devices) {
    const int file =
        must(::openat(dev, device.name + 4, O_WRONLY | O_CREAT | O_CLOEXEC, 0666),
             "making", device.path);
    ::close(file);
  }
  must(::mkdirat(dev, "shm", 01777), "making /dev/shm");
  must(::mkdirat(dev, "pts", 0755), "making /dev/pts");
  make_links(dev);
  attach(dev, onto, "/dev");
  for (const Device& device : k_devices) {
    const int tree = must(copy_mount(device.path, 0, 0), "taking", device.path);
    restrict_mount(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, device.path);
    attach(tree, place(root, device.name, false), device.path);
    ::close(tree);
  }
  const MountOption terminals[] = {
      {"ptmxmode", "0666"}, {"mode", "0620"}, {id_range ? "gid" : nullptr, "5"}, {}};
  const int pts = new_mount("devpts", terminals, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (pts >= 0) attach(pts, place(root, "dev/pts", true), "/dev/pts");
}

bool has_files(const PlanReader& plan) {
  for (std::uint32_t i = 0; i < plan.plan().mounts.count; ++i) {
    if (plan.mount(i).kind == k_wire_file) return true;
  }
  return false;
}

void write_content(const PlanReader& plan, const WireMount& mount, int file) {
  const char* bytes = plan.text(mount.content);
  for (std::uint32_t at = 0; at < mount.content.length;) {
    const ssize_t wrote = ::write(file, bytes + at, mount.content.length - at);
    at += static_cast<std::uint32_t>(must(wrote, "writing", plan.text(mount.target)));
  }
}

// Copies of the files live on when the tmpfs that they were made in is unmounted, and
// they were never reachable by another name.
void make_files(const PlanReader& plan, int root, Trees& trees) {
  const int onto = place(root, "dev/shm", true);
  const MountOption options[] = {{"mode", "0700"}, {}};
  const int box = must(new_mount("tmpfs", options, k_plain), "mounting a tmpfs");
  attach(box, onto, "a tmpfs");
  for (std::uint32_t i = 0; i < plan.plan().mounts.count; ++i) {
    const WireMount& mount = plan.mount(i);
    if (mount.kind != k_wire_file) continue;
    const char* target = plan.text(mount.target);
    char name[16];
    std::snprintf(name, sizeof name, "%u", i);
    const int file =
        must(::openat(box, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
             "making the file for", target);
    write_content(plan, mount, file);
    must(::fchown(file, mount.uid, mount.gid), "giving away the file for", target);
    must(::fchmod(file, mount.mode), "setting the mode of the file for", target);
    ::close(file);
    trees.binds[i] = must(::open_tree(box, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
                          "taking", target);
  }
  must(::fchdir(box), "entering a tmpfs");
  must(::umount2(".", MNT_DETACH), "letting go of the files");
  must(::chdir("/"), "entering /");
  ::close(box);
}

void hide(int proc, const char* name) {
  const int found = open_in(proc, name, O_PATH | O_NOFOLLOW,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  if (found < 0) return;  // another kernel, or the outer one is masked here
  struct stat status = {};
  must(::fstat(found, &status), "looking at /proc", name);
  if (S_ISDIR(status.st_mode)) {
    const MountOption options[] = {{"mode", "0555"}, {}};
    const int tree =
        must(new_mount("tmpfs", options, k_inert | MOUNT_ATTR_RDONLY), "hiding", name);
    attach(tree, found, name);
    ::close(tree);
  } else {
    const int tree = must(copy_mount("/dev/null", 0, 0), "taking", "/dev/null");
    restrict_mount(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, name);
    attach(tree, found, name);
    ::close(tree);
  }
  ::close(found);
}

void make_read_only(int proc, const char* name) {
  const int found = open_in(proc, name, O_PATH | O_NOFOLLOW,
                            RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  if (found < 0) return;
  const int tree =
      must(::open_tree(found, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
           "taking /proc", name);
  restrict_mount(tree, k_inert | MOUNT_ATTR_RDONLY, name);
  attach(tree, found, name);
  ::close(tree);
  ::close(found);
}

// The outer one with all that is mounted on it, because the kernel lets nobody uncover
// what was masked there; and read-only, since processes outside may be the same user's.
int outer_proc() {
  tell(k_wire_missing, "/proc is the outer one: process ids in it are not the program's");
  const int proc = must(
      ::open_tree(AT_FDCWD, "/proc", AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
      "taking the outer", "/proc");
  mount_attr attribute = {};
  attribute.attr_set = k_inert | MOUNT_ATTR_RDONLY;
  must(::mount_setattr(proc, "", AT_EMPTY_PATH | AT_RECURSIVE, &attribute,
                       sizeof attribute),
       "restricting the outer", "/proc");
  return proc;
}

int make_proc(int root) {
  const int onto = own_directory(root, "proc");
  const MountOption options[] = {{"hidepid", "2"}, {}};
  int proc = new_mount("proc", options, k_inert);
  const bool fresh = proc >= 0;
  if (!fresh) proc = outer_proc();
  attach(proc, onto, "/proc");
  // The descriptor is of the mount itself, which is where masks must go.
  for (const char* name : k_hidden)
    hide(proc, name);
  for (const char* name : k_read_only)
    make_read_only(proc, name);
  return fresh ? proc : -1;
}

void make_mount(const PlanReader& plan, std::uint32_t index, int root, Trees& trees) {
  const WireMount& mount = plan.mount(index);
  const char* target = plan.text(mount.target);
  if (mount.kind == k_wire_tmpfs) {
    char mode[16];
    char size[32];
    char uid[16];
    char gid[16];
    std::snprintf(mode, sizeof mode, "0%o", mount.mode);
    std::snprintf(size, sizeof size, "%llu", static_cast<unsigned long long>(mount.size));
    std::snprintf(uid, sizeof uid, "%u", mount.uid);
    std::snprintf(gid, sizeof gid, "%u", mount.gid);
    const MountOption options[] = {{"mode", mode},
                                   {"uid", uid},
                                   {"gid", gid},
                                   {mount.size == 0 ? nullptr : "size", size},
                                   {}};
    mount_new(root, target, "tmpfs", options, k_plain);
    return;
  }
  const int tree = trees.binds[index];
  restrict_mount(tree, k_plain | (mount.read_only != 0 ? MOUNT_ATTR_RDONLY : 0), target);
  attach(tree, place(root, target, mount.is_directory != 0), target);
  ::close(tree);
}

// One root on the other; then the old one, which lies on top in the list, goes.
void enter(int root) {
  must(::fchdir(root), "entering the root");
  must(::syscall(SYS_pivot_root, ".", "."), "changing the root");
  must(::umount2(".", MNT_DETACH), "letting go of the old root");
  must(::chdir("/"), "entering /");
}

}  // namespace

bool overlay_works() {
  const MountOption options[] = {{"size", "1m"}, {}};
  const int box = new_mount("tmpfs", options, 0);
  if (box < 0 || ::move_mount(box, "", AT_FDCWD, "/dev", MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return false;
  bool made = true;
  for (const char* name : {"lower", "upper", "work"})
    made = made && ::mkdirat(box, name, 0755) == 0;
  if (!made || ::fchdir(box) != 0) return false;
  const MountOption overlay[] = {{"lowerdir", "lower"},
                                 {"upperdir", "upper"},
                                 {"workdir", "work"},
                                 {"userxattr", nullptr},
                                 {"volatile", nullptr},
                                 {}};
  const int tree = new_mount("overlay", overlay, 0);
  const bool works = tree >= 0 && ::mkdirat(tree, "probe", 0755) == 0 &&
                     ::unlinkat(tree, "probe", AT_REMOVEDIR) == 0;
  if (tree >= 0) ::close(tree);
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return false;
  ::close(box);
  return works;
}

int make_room(const PlanReader& plan, Trees& trees) {
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr),
       "making mounts private");
  if (trees.root < 0) copy_trees(plan, trees);
  const int root = trees.root;
  restrict_mount(root, MOUNT_ATTR_NODEV, "the root");
  must(::move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH),
       "mounting the root");
  make_devices(root, plan.has(k_wire_id_range));
  if (has_files(plan)) make_files(plan, root, trees);
  const MountOption shared[] = {{"mode", "1777"}, {}};
  mount_new(root, "dev/shm", "tmpfs", shared, k_inert);
  const int proc = make_proc(root);
  const MountOption empty[] = {{"mode", "0555"}, {}};
  ::close(own_directory(root, "sys"));
  mount_new(root, "sys", "tmpfs", empty, k_inert | MOUNT_ATTR_RDONLY);
  for (std::uint32_t i = 0; i < plan.plan().mounts.count; ++i)
    make_mount(plan, i, root, trees);
  enter(root);
  ::close(root);
  return proc;
}

void make_plain_room(const PlanReader& plan) {
  const int root =
      must(::open(plan.text(plan.plan().root), O_PATH | O_DIRECTORY | O_CLOEXEC),
           "opening the root");
  const int dev = own_directory(root, "dev");
  for (const Device& device : k_devices) {
    if (::faccessat(root, device.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) continue;
    const int bad = ::mknodat(dev, device.name + 4, S_IFCHR | 0666,
                              makedev(device.major, device.minor));
    must(bad, "making", device.path);
    tell(k_wire_made, device.name);
  }
  for (std::uint32_t i = 0; i < plan.plan().mounts.count; ++i) {
    const WireMount& mount = plan.mount(i);
    const char* target = plan.text(mount.target);
    const int found = place(root, target, mount.kind == k_wire_tmpfs);
    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", found);
    if (mount.kind == k_wire_file) {
      const int file =
          must(::open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), "opening", target);
      write_content(plan, mount, file);
      ::close(file);
    }
    must(::chown(path, mount.uid, mount.gid), "giving away", target);
    must(::chmod(path, mount.mode), "setting the mode of", target);
    ::close(found);
  }
  must(::fchdir(root), "entering the root");
  must(::chroot("."), "changing the root");
  must(::chdir("/"), "entering /");
  ::close(dev);
  ::close(root);
}

}  // namespace lithify
