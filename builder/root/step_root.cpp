#include "builder/root/step_root.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/changes.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace fs = std::filesystem;

namespace {

// Set by the first overlay that could not be mounted in this process.
std::atomic<bool> no_overlays = false;

// Where there are none, a directory in the place of another one could not say so.
bool has_attributes(const fs::path& directory) {
  const char* name = "user.lithify.probe";
  const bool has = ::setxattr(directory.c_str(), name, "y", 1, 0) == 0;
  return has && ::removexattr(directory.c_str(), name) == 0;
}

}  // namespace

StepRoot::StepRoot(const RootTrees& trees, fs::path directory, const RootTools& tools,
                   oci::Activity& activity, std::stop_token stop)
    : tree_(trees.whole), tools_(tools), directory_(std::move(directory)) {
  const bool may_share = tools.shared != nullptr && tools.sandbox.overlay &&
                         !no_overlays && has_attributes(directory_);
  if (may_share) {
    overlay(trees, activity, std::move(stop));
  } else {
    copy(activity, std::move(stop));
  }
}

void StepRoot::overlay(const RootTrees& trees, oci::Activity& activity,
                       std::stop_token stop) {
  shared_ = tools_.shared->root_of(trees, tools_, activity, std::move(stop));
  path_ = directory_ / "upper";
  // The top of an overlay is that of its upper directory.
  lay_out_top(tree_, path_, tools_);
  fd_ = oci::open_file(path_, O_RDONLY | O_DIRECTORY);
}

void StepRoot::copy(oci::Activity& activity, std::stop_token stop) {
  path_ = directory_ / "root";
  lay_out(tree_, path_, tools_, activity, stop);
  fd_ = oci::open_file(path_, O_RDONLY | O_DIRECTORY);
  made_ = survey(fd_, "the root", Closed::put_back, std::move(stop));
  give_away(tree_, path_, tools_);
}

void StepRoot::copy_instead(oci::Activity& activity, std::stop_token stop) {
  // What earlier commands did would be lost.
  if (!fs::is_empty(path_))
    throw Error(Errc::machine, "the overlay of a root cannot be mounted once more");
  no_overlays = true;
  shared_.reset();
  copy(activity, std::move(stop));
}

void StepRoot::put_into(SandboxPlan& plan) {
  plan.root.clear();
  plan.overlay.reset();
  if (shared_) {
    // The kernel takes no work directory of a volatile overlay a second time.
    const fs::path work = directory_ / fmt::format("overlay-{}", ++mounted_);
    if (::mkdir(work.c_str(), 0700) != 0)
      throw oci::write_error(errno, "making " + work.string());
    plan.overlay = {shared_->directories, path_, work};
  } else {
    plan.root = path_;
  }
}

void StepRoot::remove(const std::vector<std::string>& mount_points) const {
  for (auto at = mount_points.rbegin(); at != mount_points.rend(); ++at) {
    const std::string parent(parent_of(*at));
    const std::string name(name_of(*at));
    const oci::Fd directory =
        oci::open_beneath(fd_, parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY);
    // A directory that the command put something into is its own by now.
    if (::unlinkat(directory.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno == ENOTDIR)
      ::unlinkat(directory.get(), name.c_str(), 0);
  }
}

Survey StepRoot::look(std::stop_token stop) {
  if (tools_.sandbox.owners_need_entering && belongs_to_others(stop)) {
    owners_ = take_back(path_, tools_.sandbox, tools_.program);
    taken_ = true;
  }
  return survey(fd_, "the root", Closed::left_open, std::move(stop));
}

// Directories that had to be opened up are closed again: their modes have yet to be seen.
bool StepRoot::belongs_to_others(std::stop_token stop) const {
  try {
    const Survey seen = survey(fd_, "the root", Closed::put_back, std::move(stop));
    const std::uint32_t own = ::geteuid();
    return !std::all_of(seen.begin(), seen.end(), [&](const auto& item) {
      return item.second.uid == own && item.second.gid == seen.at("").gid;
    });
  } catch (const Error& error) {
    if (error.code() != Errc::bad_input) throw;
    return true;
  }
}

Tree StepRoot::changes(const std::vector<std::string>& mount_points, std::int64_t mtime,
                       oci::Activity& activity, std::stop_token stop) {
  remove(mount_points);
  Survey seen = look(stop);
  const Touched touched = shared_ ? touched_in_upper(fd_, std::move(seen), tree_)
                                  : touched_between(made_, std::move(seen));
  ChangesRequest request{tree_, fd_, "the root"};
  request.mtime = mtime;
  const OwnerMap& map = tools_.sandbox.owners;
  if (taken_) {
    request.owner = [this](const std::string& path, const Surveyed&) {
      const auto found = owners_.find(path);
      return found == owners_.end() ? std::pair(0U, 0U)
                                    : std::pair(found->second.uid, found->second.gid);
    };
  } else if (map.uid.count > 1) {
    request.owner = [map](const std::string&, const Surveyed& one) {
      return std::pair(map.uid.in_sandbox(one.uid).value_or(0),
                       map.gid.in_sandbox(one.gid).value_or(0));
    };
  }
  return lithify::changes(touched, request, tools_.store, activity, std::move(stop));
}

}  // namespace lithify
