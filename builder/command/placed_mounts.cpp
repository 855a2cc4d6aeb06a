#include "builder/command/placed_mounts.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/root/work_directory.h"
#include "builder/tree/tree.h"
#include "builder/tree/tree_path.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace fs = std::filesystem;

namespace {

void move(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    throw oci::write_error(errno,
                           fmt::format("moving {} to {}", from.string(), to.string()));
}

mode_t type_at(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & S_IFMT : 0;
}

// The command may have put something else into its place, which must not become what a
// later command finds mounted: a link, for one.
void take_out(const fs::path& from, const fs::path& to, mode_t type) {
  const mode_t now = type_at(from);
  if (now == type) return move(from, to);
  if (now == S_IFDIR) {
    remove_all_of(from);
  } else if (now != 0) {
    ::unlink(from.c_str());
  }
}

bool is_placed(const SandboxMount& mount) {
  return mount.kind == SandboxMount::Kind::bind ||
         mount.kind == SandboxMount::Kind::tmpfs;
}

}  // namespace

PlacedMounts::~PlacedMounts() {
  try {
    put_back();
  } catch (const std::exception&) {
    // The work directory goes with what could not be moved out of it.
  }
}

void PlacedMounts::take(std::vector<SandboxMount>& mounts) {
  for (const SandboxMount& mount : mounts) {
    if (is_placed(mount)) place(mount);
  }
  std::erase_if(mounts, is_placed);
}

void PlacedMounts::place(const SandboxMount& mount) {
  const std::string path = tree_path(mount.target);
  make_parents(path);
  Placed placed;
  placed.target = root_ / path;
  placed.source = mount.source;
  if (mount.kind == SandboxMount::Kind::tmpfs) {
    placed.source = directory_ / fmt::format("temporary-{}", placed_.size());
    if (::mkdir(placed.source.c_str(), 0700) != 0 ||
        ::chmod(placed.source.c_str(), mount.mode) != 0)
      throw oci::write_error(errno, "making " + placed.source.string());
  }
  placed.type = type_at(placed.source);
  if (type_at(placed.target) != 0) {
    placed.aside = directory_ / fmt::format("aside-{}", placed_.size());
    move(placed.target, placed.aside);
  }
  placed_.push_back(placed);
  move(placed.source, placed.target);
}

void PlacedMounts::make_parents(const std::string& path) {
  for (std::size_t end = path.find('/'); end != std::string::npos;
       end = path.find('/', end + 1)) {
    const std::string parent = path.substr(0, end);
    if (const mode_t type = type_at(root_ / parent)) {
      if (type == S_IFDIR) continue;
      throw Error(Errc::bad_input,
                  fmt::format("the mount at /{} lies below /{}, which is no directory",
                              path, parent))
          .add_note("this machine allows no mounts, so that links are not followed here")
          .add_hint("name the directory that the link leads to");
    }
    if (::mkdir((root_ / parent).c_str(), 0755) != 0)
      throw oci::write_error(errno, "making /" + parent);
    made_.push_back(parent);
  }
}

const std::vector<std::string>& PlacedMounts::put_back() {
  // The last first: it may lie within an earlier one.
  while (!placed_.empty()) {
    const Placed placed = std::move(placed_.back());
    placed_.pop_back();
    take_out(placed.target, placed.source, placed.type);
    if (!placed.aside.empty()) move(placed.aside, placed.target);
  }
  return made_;
}

}  // namespace lithify
