#include "builder/root/lay_out.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/checked_later.h"

#include "builder/root/work_directory.h"
#include "builder/tree/materialise.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_max_owners = 64 << 20;
constexpr unsigned k_most_threads = 8;

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

// Who may give files away does it while making them, else give_away() does.
bool gives_away(const SandboxProbe& sandbox) {
  return sandbox.owners.uid.count > 1 && !sandbox.owners_need_entering;
}

MaterialiseOptions options_for(const RootTools& tools, const oci::BlobStore& blobs,
                               std::stop_token stop) {
  MaterialiseOptions options{blobs};
  options.stop = std::move(stop);
  options.hard_links = false;
  options.overlay_marks = true;
  options.threads = std::clamp(std::thread::hardware_concurrency(), 1U, k_most_threads);
  options.privileged = gives_away(tools.sandbox);
  options.uid = on_disk(tools.sandbox.owners.uid);
  options.gid = on_disk(tools.sandbox.owners.gid);
  return options;
}

// Nobody declared it, and the sandbox's 0:0 must be able to make files in it.
void own_root(const fs::path& directory, const SandboxProbe& sandbox) {
  const OwnerMap& owners = sandbox.owners;
  const oci::Fd fd = oci::open_file(directory, O_RDONLY | O_DIRECTORY);
  const bool given =
      !gives_away(sandbox) || ::fchown(fd.get(), owners.uid.zero, owners.gid.zero) == 0;
  const timespec time{k_constant_time, 0};
  const std::array<timespec, 2> times = {time, time};
  if (!given || ::fchmod(fd.get(), 0755) != 0 || ::futimens(fd.get(), times.data()) != 0)
    throw oci::write_error(errno, "giving away " + directory.string());
}

}  // namespace

void lay_out(const Tree& tree, const fs::path& directory, const RootTools& tools,
             oci::Activity& activity, std::stop_token stop) {
  oci::CheckedLater blobs(tools.store, tools.blobs, stop);
  materialise(tree, directory, options_for(tools, blobs, std::move(stop)), activity);
  blobs.finish();
  if (tree.find("") == nullptr) own_root(directory, tools.sandbox);
}

void give_away(const Tree& tree, const fs::path& root, const RootTools& tools) {
  if (!tools.sandbox.owners_need_entering) return;
  const Owners owners = owners_of(tree);
  if (owners.empty()) return;
  const std::string list = root.string() + ".owners";
  oci::write_file_atomically(list, owners_text(owners), 0600);
  const int status = run_as_owner(
      tools.sandbox.owners, {tools.program, "internal", "give", root, list}, {}, {});
  ::unlink(list.c_str());
  if (status != 0)
    throw Error(Errc::machine, "the files of the root cannot be given away");
}

void lay_out_top(const Tree& tree, const fs::path& directory, const RootTools& tools) {
  Tree::Nodes top;
  if (const Node* node = tree.find("")) top.emplace("", *node);
  oci::SilentReporter silent;
  oci::Activity activity(silent, "root");
  lay_out(Tree(std::move(top)), directory, tools, activity, {});
}

Owners take_back(const fs::path& root, const SandboxProbe& sandbox,
                 const std::string& program) {
  const std::string list = root.string() + ".taken";
  const int status =
      run_as_owner(sandbox.owners, {program, "internal", "take", root, list}, {}, {});
  if (status != 0)
    throw Error(Errc::machine, "the files of the root cannot be taken back");
  Owners owners = parse_owners(oci::read_file(list, k_max_owners));
  ::unlink(list.c_str());
  return owners;
}

bool remove_laid_out(const fs::path& directory, const SandboxProbe& sandbox,
                     const std::string& program) noexcept {
  if (remove_all_of(directory)) return true;
  if (!sandbox.owners_need_entering) return false;
  try {
    take_back(directory, sandbox, program);
  } catch (const std::exception&) {
    return false;
  }
  return remove_all_of(directory);
}

}  // namespace lithify
