// room: the order matters. What needs the old root comes before it is let go.
#include "builder/sandbox/launcher/room.h"

#include <cerrno>
#include <charconv>
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
  const char* path;  // outside and inside
  unsigned major;
  unsigned minor;
};
constexpr Device k_devices[] = {{"/dev/null", 1, 3},    {"/dev/zero", 1, 5},
                                {"/dev/full", 1, 7},    {"/dev/random", 1, 8},
                                {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
constexpr std::size_t k_below_dev = sizeof "/dev/" - 1;

struct Link {
  const char* name;
  const char* to;
};
constexpr Link k_links[] = {{"fd", "/proc/self/fd"},
                            {"stdin", "/proc/self/fd/0"},
                            {"stdout", "/proc/self/fd/1"},
                            {"stderr", "/proc/self/fd/2"},
                            {"ptmx", "pts/ptmx"}};

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

// A number in the words of mount options.
class Digits {
 public:
  explicit Digits(std::uint64_t number, int base = 10) {
    std::to_chars(text_, text_ + sizeof text_ - 1, number, base);
  }
  const char* text() const { return text_; }

 private:
  char text_[24] = {};
};

void mount_new(int root, const char* at, const char* type, const MountOption* options,
               std::uint64_t attributes) {
  const int tree = must(new_mount(type, options, attributes), "mounting", at);
  attach(tree, place(root, at, true), at);
}

void make_devices(int root, bool id_range) {
  const int onto = own_directory(root, "dev");
  const MountOption options[] = {{"size", "1m"}, {"mode", "0755"}, {}};
  const int dev = must(new_mount("tmpfs", options, k_inert), "mounting /dev");
  for (const Device& device : k_devices)
    must(::mknodat(dev, device.path + k_below_dev, S_IFREG | 0666, 0), "making",
         device.path);
  must(::mkdirat(dev, "shm", 01777), "making /dev/shm");
  must(::mkdirat(dev, "pts", 0755), "making /dev/pts");
  for (const Link& link : k_links)
    must(::symlinkat(link.to, dev, link.name), "linking /dev", link.name);
  attach(dev, onto, "/dev");
  for (const Device& device : k_devices) {
    const Handle tree(must(copy_mount(device.path, 0, 0), "taking", device.path));
    restrict_mount(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, device.path);
    attach(tree, place(root, device.path, false), device.path);
  }
  const MountOption terminals[] = {
      {"ptmxmode", "0666"}, {"mode", "0620"}, {id_range ? "gid" : nullptr, "5"}, {}};
  const int pts = new_mount("devpts", terminals, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (pts >= 0) attach(pts, place(root, "dev/pts", true), "/dev/pts");
}

void write_content(const PlanReader& plan, const WireMount& mount, int file) {
  const char* bytes = plan.text(mount.content);
  for (std::uint32_t at = 0; at < mount.content.length;) {
    const ssize_t wrote = ::write(file, bytes + at, mount.content.length - at);
    at += static_cast<std::uint32_t>(must(wrote, "writing", plan.text(mount.target)));
  }
}

bool has_files(const PlanReader& plan) {
  for (std::uint32_t i = 0; i < plan.plan().mounts.count; ++i) {
    if (plan.mount(i).kind == k_wire_file) return true;
  }
  return false;
}

// Copies of the files live on when the tmpfs that they were made in is unmounted, and
// they were never reachable by another name.
void make_files(const PlanReader& plan, int root, Trees& trees) {
  const int onto = place(root, "dev/shm", true);
  const MountOption options[] = {{"mode", "0700"}, {}};
  const Handle box(must(new_mount("tmpfs", options, k_plain), "mounting a tmpfs"));
  attach(box, onto, "a tmpfs");
  for (std::uint32_t i = 0; i < plan.plan().mounts.count; ++i) {
    const WireMount& mount = plan.mount(i);
    if (mount.kind != k_wire_file) continue;
    const char* target = plan.text(mount.target);
    const Digits name(i);
    const Handle file(
        must(::openat(box, name.text(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
             "making the file for", target));
    write_content(plan, mount, file);
    must(::fchown(file, mount.uid, mount.gid), "giving away the file for", target);
    must(::fchmod(file, mount.mode), "setting the mode of the file for", target);
    trees.binds[i] =
        must(::open_tree(box, name.text(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), "taking",
             target);
  }
  must(::fchdir(box), "entering a tmpfs");
  must(::umount2(".", MNT_DETACH), "letting go of the files");
  must(::chdir("/"), "entering /");
}

// -1: this kernel has it not, or the outer one is masked here.
int find_in_proc(int proc, const char* name) {
  return open_in(proc, name, O_PATH | O_NOFOLLOW,
                 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

void hide(int proc, const char* name) {
  const Handle found(find_in_proc(proc, name));
  if (found < 0) return;
  struct stat status = {};
  must(::fstat(found, &status), "looking at /proc", name);
  const bool directory = S_ISDIR(status.st_mode);
  const MountOption options[] = {{"mode", "0555"}, {}};
  const Handle tree(
      must(directory ? new_mount("tmpfs", options, 0) : copy_mount("/dev/null", 0, 0),
           "hiding", name));
  restrict_mount(
      tree,
      directory ? k_inert | MOUNT_ATTR_RDONLY : MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
      name);
  attach(tree, found, name);
}

void make_read_only(int proc, const char* name) {
  const Handle found(find_in_proc(proc, name));
  if (found < 0) return;
  const Handle tree(
      must(::open_tree(found, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
           "taking /proc", name));
  restrict_mount(tree, k_inert | MOUNT_ATTR_RDONLY, name);
  attach(tree, found, name);
}

// The outer one with all that is mounted on it, because the kernel lets nobody uncover
// what was masked there; and read-only, since processes outside may be the same user's.
int outer_proc() {
  tell(k_wire_missing, "/proc is the outer one: process ids in it are not the program's");
  const int proc = must(
      ::open_tree(AT_FDCWD, "/proc", AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
      "taking the outer", "/proc");
  restrict_mount(proc, k_inert | MOUNT_ATTR_RDONLY, "the outer /proc", AT_RECURSIVE);
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
    const Digits mode(mount.mode, 8);
    const Digits size(mount.size);
    const Digits uid(mount.uid);
    const Digits gid(mount.gid);
    const MountOption options[] = {{"mode", mode.text()},
                                   {"uid", uid.text()},
                                   {"gid", gid.text()},
                                   {mount.size == 0 ? nullptr : "size", size.text()},
                                   {}};
    return mount_new(root, target, "tmpfs", options, k_plain);
  }
  const Handle tree(trees.binds[index]);
  restrict_mount(tree, k_plain | (mount.read_only != 0 ? MOUNT_ATTR_RDONLY : 0), target);
  attach(tree, place(root, target, mount.is_directory != 0), target);
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
  const Handle box(new_mount("tmpfs", options, 0));
  if (box < 0 || ::move_mount(box, "", AT_FDCWD, "/dev", MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return false;
  bool made = true;
  for (const char* name : {"lower", "upper", "work"})
    made = made && ::mkdirat(box, name, 0755) == 0;
  if (!made || ::fchdir(box) != 0) return false;
  const Handle tree(new_overlay("lower", "upper", "work"));
  const bool works = tree >= 0 && ::mkdirat(tree, "probe", 0755) == 0 &&
                     ::unlinkat(tree, "probe", AT_REMOVEDIR) == 0;
  return ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0 && works;
}

int make_room(const PlanReader& plan, Trees& trees) {
  make_mounts_private();
  if (trees.root < 0) copy_trees(plan, trees);
  const Handle root(trees.root);
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
  return proc;
}

void make_plain_room(const PlanReader& plan) {
  const char* path = plan.text(plan.plan().root);
  must(::chdir(path), "entering the root", path);
  must(::chroot("."), "changing the root");
  const Handle dev(own_directory(k_here, "dev"));
  for (const Device& device : k_devices) {
    const char* name = device.path + k_below_dev;
    if (::faccessat(dev, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) continue;
    must(::mknodat(dev, name, S_IFCHR | 0666, makedev(device.major, device.minor)),
         "making", device.path);
    tell(k_wire_made, device.path + 1);
  }
  for (std::uint32_t i = 0; i < plan.plan().mounts.count; ++i) {
    const WireMount& mount = plan.mount(i);
    const char* target = plan.text(mount.target);
    const bool directory = mount.kind == k_wire_tmpfs;
    ::close(place(k_here, target, directory));
    const int flags = directory ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_TRUNC;
    const Handle made(must(::open(target, flags | O_CLOEXEC), "opening", target));
    if (mount.kind == k_wire_file) write_content(plan, mount, made);
    must(::fchown(made, mount.uid, mount.gid), "giving away", target);
    must(::fchmod(made, mount.mode), "setting the mode of", target);
  }
}

}  // namespace lithify
