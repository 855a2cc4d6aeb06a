// encode: the fixed part first, then lists, then texts.
#include "builder/sandbox/encode.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci/base/error.h"

#include "builder/sandbox/call_filter.h"
#include "builder/sandbox/launcher/wire.h"
#include "builder/sandbox/tracer.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

class Writer {
 public:
  Writer() { bytes_.resize(sizeof(WirePlan)); }

  WireText text(std::string_view text, std::string_view what) {
    if (text.find('\0') != std::string_view::npos)
      throw Error(Errc::bad_input, std::string(what) + " holds a zero byte");
    return content(text);
  }
  WireText content(std::string_view bytes) {
    const WireText at = {offset(), static_cast<std::uint32_t>(bytes.size())};
    grow(bytes.size() + 1);
    std::memcpy(bytes_.data() + at.offset, bytes.data(), bytes.size());
    return at;
  }
  template <class Item>
  WireList list(const std::vector<Item>& items) {
    if (items.size() > k_max_wire_items)
      throw Error(Errc::bad_input,
                  "a step has more than 65536 words, variables or mounts");
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    const WireList at = {offset(), static_cast<std::uint32_t>(items.size())};
    grow(items.size() * sizeof(Item));
    if (!items.empty())
      std::memcpy(bytes_.data() + at.offset, items.data(), items.size() * sizeof(Item));
    return at;
  }
  WireList texts(const std::vector<std::string>& all, std::string_view what) {
    std::vector<WireText> items;
    for (const std::string& one : all)
      items.push_back(text(one, what));
    return list(items);
  }
  std::string finish(WirePlan plan) && {
    plan.size = offset();
    std::memcpy(bytes_.data(), &plan, sizeof plan);
    return std::move(bytes_);
  }

 private:
  std::uint32_t offset() const { return static_cast<std::uint32_t>(bytes_.size()); }
  void grow(std::size_t by) {
    if (by > k_max_wire - bytes_.size())
      throw Error(Errc::bad_input,
                  "the words, variables and secrets of a step have more than 64 MiB");
    bytes_.resize(bytes_.size() + by);
  }
  std::string bytes_;
};

struct ::stat look_at(const std::string& path, const char* what) {
  struct ::stat status = {};
  if (::lstat(path.c_str(), &status) != 0)
    throw oci::errno_error(errno, std::string("looking at ") + what + " " + path);
  if (S_ISLNK(status.st_mode))
    throw Error(Errc::bad_input, std::string(what) + " " + path + " is a symlink");
  return status;
}

WireMount encode_mount(const SandboxMount& mount, Writer& writer) {
  if (mount.target.empty() || mount.target.front() != '/')
    throw Error(Errc::bad_input, "the mount point " + mount.target + " is not absolute");
  WireMount wire;
  wire.target = writer.text(mount.target, "a mount point");
  wire.source = writer.text(mount.source, "the source of a mount");
  wire.content = writer.content(mount.content);
  wire.read_only = mount.read_only ? 1 : 0;
  wire.mode = mount.mode & 07777;
  wire.uid = mount.uid;
  wire.gid = mount.gid;
  wire.size = mount.size;
  switch (mount.kind) {
    case SandboxMount::Kind::bind: {
      const struct ::stat status = look_at(mount.source, "the source of a mount,");
      wire.kind = k_wire_bind;
      wire.device = status.st_dev;
      wire.inode = status.st_ino;
      wire.is_directory = S_ISDIR(status.st_mode) ? 1 : 0;
      return wire;
    }
    case SandboxMount::Kind::tmpfs:
      wire.kind = k_wire_tmpfs;
      wire.is_directory = 1;
      return wire;
    case SandboxMount::Kind::file:
      wire.kind = k_wire_file;
      return wire;
  }
  throw Error(Errc::internal, "a mount of no kind");
}

// A mount point may lie in what another mount brings.
std::vector<WireMount> encode_mounts(std::vector<SandboxMount> mounts, Writer& writer) {
  std::stable_sort(mounts.begin(), mounts.end(), [](const auto& a, const auto& b) {
    return std::count(a.target.begin(), a.target.end(), '/') <
           std::count(b.target.begin(), b.target.end(), '/');
  });
  std::vector<WireMount> wires;
  for (const SandboxMount& mount : mounts)
    wires.push_back(encode_mount(mount, writer));
  return wires;
}

void encode_root(const SandboxPlan& plan, Writer& writer, WirePlan& wire) {
  wire.root = writer.text(plan.root, "the root");
  wire.upper = writer.text(plan.overlay ? plan.overlay->upper : "", "the overlay");
  wire.work = writer.text(plan.overlay ? plan.overlay->work : "", "the overlay");
  if (plan.overlay) {
    wire.lower = writer.texts(plan.overlay->lower, "the overlay");
    return;
  }
  wire.lower = writer.list(std::vector<WireText>());
  if (plan.root.empty()) return;  // nothing is run in it
  const struct ::stat status = look_at(plan.root, "the root");
  wire.root_device = status.st_dev;
  wire.root_inode = status.st_ino;
}

// ABI 6 of Landlock keeps abstract sockets apart.
bool has_scopes() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0,
                   LANDLOCK_CREATE_RULESET_VERSION) >= 6;
}

Traced traced_calls(const SandboxPlan& plan) {
  return {.clock = plan.clock.has_value(),
          .directories = plan.reversed_directories,
          .links = tells_links(plan),
          .names = tells_names(plan)};
}

// Instructions of eight bytes, aligned as the reader wants them.
WireList encode_filter(const SandboxPlan& plan, Writer& writer) {
  const Sockets sockets = plan.level != SandboxLevel::chroot ? Sockets::own_network
                          : has_scopes()                     ? Sockets::local
                                                             : Sockets::none;
  const Traced traced = traced_calls(plan);
  const std::string& bytes = call_filter(sockets, traced);
  std::vector<std::uint64_t> instructions(bytes.size() / sizeof(std::uint64_t));
  std::memcpy(instructions.data(), bytes.data(), bytes.size());
  return writer.list(instructions);
}

std::uint32_t flags_of(const SandboxPlan& plan) {
  std::uint32_t flags = 0;
  if (plan.level != SandboxLevel::chroot) flags |= k_wire_user_namespace;
  if (plan.owners.uid.count > 1) flags |= k_wire_id_range;
  // The map's root is not us: what we may read it may not.
  if (plan.owners.uid.zero != ::geteuid()) flags |= k_wire_trees_first;
  if (plan.network == SandboxNetwork::host) flags |= k_wire_host_network;
  if (plan.fixed_addresses) flags |= k_wire_fixed_addresses;
  if (plan.terminal) flags |= k_wire_terminal;
  if (traced_calls(plan).any()) flags |= k_wire_traced;
  return flags;
}

}  // namespace

std::string encode(const SandboxPlan& plan, const EncodeOptions& options) {
  Writer writer;
  WirePlan wire;
  wire.flags = flags_of(plan) | options.flags;
  wire.parent = ::getpid();
  encode_root(plan, writer, wire);
  wire.cwd = writer.text(plan.cwd, "the working directory");
  wire.hostname = writer.text(plan.hostname, "the host name");
  wire.argv = writer.texts(plan.argv, "a word of the program");
  wire.env = writer.texts(plan.env, "a variable");
  wire.groups = writer.list(plan.groups);
  wire.mounts = writer.list(encode_mounts(plan.mounts, writer));
  wire.filter = encode_filter(plan, writer);
  wire.uid = plan.uid;
  wire.gid = plan.gid;
  if (!options.limits_held) {
    wire.memory = plan.limits.memory;
    wire.pids = plan.limits.pids;
  }
  wire.cpu_seconds = static_cast<std::uint64_t>(plan.limits.cpu_time.count());
  wire.file_size = plan.limits.file_size;
  wire.cpus = plan.cpus;
  wire.skipped = plan.skipped_processes;
  return std::move(writer).finish(wire);
}

}  // namespace lithify
