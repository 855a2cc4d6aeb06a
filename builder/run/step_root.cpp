#include "builder/run/step_root.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/changes.h"
#include "builder/tree/materialise.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::uint64_t k_max_owners = 64 << 20;

std::function<std::uint32_t(std::uint32_t)> on_disk(const IdMap& ids) {
  return [ids](std::uint32_t id) {
    if (const auto mapped = ids.on_disk(id)) return *mapped;
    throw Error(Errc::machine,
                fmt::format("the owner {} of a file cannot be had here: the sandbox has "
                            "the ids 0 to {}",
                            id, ids.count - 1))
        .add_hint("use ids below 65536");
  };
}

// Nobody declared it, and the sandbox's 0:0 must be able to make files in it.
void own_root(const std::filesystem::path& directory, const SandboxProbe& sandbox,
              bool privileged) {
  const OwnerMap& owners = sandbox.owners;
  const oci::Fd fd = oci::open_file(directory, O_RDONLY | O_DIRECTORY);
  const bool given =
      !privileged || ::fchown(fd.get(), owners.uid.zero, owners.gid.zero) == 0;
  if (!given || ::fchmod(fd.get(), 0755) != 0)
    throw oci::write_error(errno, "giving away " + directory.string());
}

}  // namespace

void lay_out(const Tree& tree, const std::filesystem::path& directory,
             const RootTools& tools, oci::Activity& activity, std::stop_token stop) {
  MaterialiseOptions options{tools.store};
  options.stop = std::move(stop);
  options.hard_links = false;
  // Who may give files away does it here, else give_away() does.
  const OwnerMap& owners = tools.sandbox.owners;
  options.privileged = owners.uid.count > 1 && !tools.sandbox.owners_need_entering;
  options.uid = on_disk(owners.uid);
  options.gid = on_disk(owners.gid);
  materialise(tree, directory, options, activity);
  if (tree.find("") == nullptr) own_root(directory, tools.sandbox, options.privileged);
}

StepRoot::StepRoot(const Tree& tree, const std::filesystem::path& directory,
                   const RootTools& tools, oci::Activity& activity, std::stop_token stop)
    : tree_(tree), tools_(tools), path_(directory / "root") {
  lay_out(tree_, path_, tools_, activity, stop);
  fd_ = oci::open_file(path_, O_RDONLY | O_DIRECTORY);
  made_ = survey(fd_, "the root", Closed::put_back, std::move(stop));
  if (tools_.sandbox.owners_need_entering) give_away(directory);
}

StepRoot::~StepRoot() {
  if (!tools_.sandbox.owners_need_entering || taken_ || all_ours_) return;
  try {
    take_back();
  } catch (const std::exception&) {
    // What is left is another's to remove.
  }
}

void StepRoot::give_away(const std::filesystem::path& directory) {
  const Owners owners = owners_of(tree_);
  if (owners.empty()) return;
  const std::string list = directory / "owners";
  oci::write_file_atomically(list, owners_text(owners), 0600);
  const int status = run_as_owner(
      tools_.sandbox.owners, {tools_.program, "internal", "give", path_, list}, {}, {});
  if (status != 0)
    throw Error(Errc::machine, "the files of the root cannot be given away");
}

Owners StepRoot::take_back() {
  const std::string list = path_.parent_path() / "taken";
  const int status = run_as_owner(
      tools_.sandbox.owners, {tools_.program, "internal", "take", path_, list}, {}, {});
  if (status != 0)
    throw Error(Errc::machine, "the files of the root cannot be taken back");
  return parse_owners(oci::read_file(list, k_max_owners));
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
  const bool may_be_others = tools_.sandbox.owners_need_entering;
  try {
    Survey seen = survey(fd_, "the root", Closed::left_open, stop);
    const std::uint32_t own = ::geteuid();
    const bool all_ours =
        !may_be_others || std::all_of(seen.begin(), seen.end(), [&](const auto& item) {
          return item.second.uid == own && item.second.gid == seen.at("").gid;
        });
    all_ours_ = all_ours;
    if (all_ours) return seen;
  } catch (const Error& error) {
    if (!may_be_others || error.code() != Errc::bad_input) throw;
  }
  owners_ = take_back();
  taken_ = true;
  return survey(fd_, "the root", Closed::left_open, std::move(stop));
}

Tree StepRoot::changes(const std::vector<std::string>& mount_points, std::int64_t mtime,
                       oci::Activity& activity, std::stop_token stop) {
  remove(mount_points);
  const Touched touched = touched_between(made_, look(stop));
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
    request.owner = [map](const std::string&, const Surveyed& seen) {
      return std::pair(map.uid.in_sandbox(seen.uid).value_or(0),
                       map.gid.in_sandbox(seen.gid).value_or(0));
    };
  }
  return lithify::changes(touched, request, tools_.store, activity, std::move(stop));
}

}  // namespace lithify
