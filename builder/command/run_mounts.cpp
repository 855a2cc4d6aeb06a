#include "builder/command/run_mounts.h"

#include <algorithm>
#include <iterator>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/tree_path.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t k_secret_mode = 0400;

// A source that is one file, as a url: source is, is that file.
const Node* only_file(const Tree& tree) {
  if (tree.nodes().size() != 1) return nullptr;
  const Node& node = tree.nodes().begin()->second;
  return node.type == FileType::regular ? &node : nullptr;
}

// What of a tree is below `path`, which "" is all of; empty if it is no directory. It
// belongs to 0:0, because there are sandboxes that have nobody else.
Tree part_of(const Tree& tree, const std::string& path) {
  Tree::Nodes nodes;
  const auto& all = tree.nodes();
  if (path.empty()) {
    nodes = all;
  } else {
    nodes.emplace("", all.find(path)->second);
    for (auto at = all.lower_bound(path + '/'); at != all.lower_bound(path + '0'); ++at)
      nodes.emplace(at->first.substr(path.size() + 1), at->second);
  }
  for (auto& [name, node] : nodes)
    node.attributes.uid = node.attributes.gid = 0;
  return Tree(std::move(nodes));
}

Tree file_alone(const Node& node) {
  Tree::Nodes nodes;
  nodes.emplace("file", node);
  return part_of(Tree(std::move(nodes)), "");
}

}  // namespace

RunMounts::RunMounts(const Request& request, oci::Activity& activity,
                     std::stop_token stop)
    : request_(request), activity_(activity), stop_(std::move(stop)) {
  std::size_t trees = 0;
  for (const RunMount& mount : request.run.what.mounts) {
    try {
      switch (mount.kind) {
        case RunMount::Kind::tree:
          add_tree(mount, request.inputs[request.run.mount_inputs.at(trees++)]);
          break;
        case RunMount::Kind::cache:
          add_cache(mount);
          break;
        case RunMount::Kind::secret:
          add_secret(mount);
          break;
        case RunMount::Kind::temporary:
          add_temporary(mount);
          break;
      }
    } catch (Error& error) {
      error.at(mount.place);
      throw;
    }
  }
}

// Where nobody writes to it, others may look at it too.
fs::path RunMounts::lay_out_tree(const Tree& tree, bool write) {
  const RootTools& root = request_.root;
  if (root.shared != nullptr && root.sandbox.mounts && !write) {
    HeldRoot held = root.shared->tree(tree, root, activity_, stop_);
    std::move(held.locks.begin(), held.locks.end(), std::back_inserter(held_));
    return held.directories.front();
  }
  const fs::path place = request_.directory / fmt::format("mount-{}", mounts_.size());
  lay_out(tree, place, root, activity_, stop_);
  return place;
}

void RunMounts::add_tree(const RunMount& mount, const Tree& source) {
  SandboxMount made;
  made.target = mount.at;
  made.read_only = !mount.write;
  const std::string path = tree_path(mount.path);
  const Node* file = path.empty() ? only_file(source) : nullptr;
  if (file == nullptr && !path.empty()) {
    const auto at = source.resolve(path);
    const Node* node = at ? source.find(*at) : nullptr;
    if (node == nullptr) {
      throw Error(Errc::bad_input, fmt::format("`{}` has no {}", mount.from, mount.path));
    }
    if (!is_directory(*node)) file = node;
  }
  if (file != nullptr) {
    made.source = lay_out_tree(file_alone(*file), mount.write) / "file";
  } else {
    const std::string part = path.empty() ? std::string() : *source.resolve(path);
    made.source = lay_out_tree(part_of(source, part), mount.write);
  }
  mounts_.push_back(std::move(made));
}

// A cache that is taken has further ones beside it for those who want it for themselves.
CacheMount RunMounts::take_cache(const RunMount& mount) {
  const OwnerMap& owners = request_.root.sandbox.owners;
  const OwnerMap* const given = ::geteuid() == 0 ? &owners : nullptr;
  const auto made = [&](unsigned number) {
    CacheMount cache =
        cache_mount(request_.tools.caches, {mount.id, number}, cache_owners(owners));
    make_cache(cache, given);
    return cache;
  };
  if (mount.share == RunMount::Share::apart) {
    for (unsigned number = 0; number < k_most_apart; ++number) {
      CacheMount cache = made(number);
      std::optional<oci::Fd> lock = try_lock_cache(cache);
      if (!lock) continue;
      held_.push_back(std::move(*lock));
      return cache;
    }
  }
  CacheMount cache = made(0);  // who finds all of them taken waits for the first
  const bool alone = mount.share != RunMount::Share::shared;
  held_.push_back(lock_cache(cache, alone ? CacheUse::alone : CacheUse::shared, stop_));
  return cache;
}

void RunMounts::add_cache(const RunMount& mount) {
  SandboxMount made;
  made.source = take_cache(mount).data();
  made.target = mount.at;
  made.read_only = false;
  mounts_.push_back(std::move(made));
}

void RunMounts::add_secret(const RunMount& mount) {
  const auto secret =
      request_.tools.secret ? request_.tools.secret(mount.id) : std::nullopt;
  if (!secret) {
    throw Error(Errc::bad_input, fmt::format("the secret `{}` was not given", mount.id))
        .add_hint(fmt::format("--secret id={0},src=FILE, or --secret id={0},env=VARIABLE",
                              mount.id));
  }
  secrets_.push_back(*secret);
  if (!mount.env.empty()) {
    if (secret->find('\0') != std::string::npos)
      throw Error(Errc::bad_input,
                  fmt::format("the secret `{}` holds a zero byte, which no variable can "
                              "hold",
                              mount.id))
          .add_hint("mount it as a file with `at:`");
    secret_env_.push_back(mount.env + "=" + *secret);
  }
  if (mount.at.empty()) return;
  SandboxMount made;
  made.kind = SandboxMount::Kind::file;
  made.content = *secret;
  made.target = mount.at;
  made.mode = k_secret_mode;
  mounts_.push_back(std::move(made));
}

void RunMounts::add_temporary(const RunMount& mount) {
  SandboxMount made;
  made.kind = SandboxMount::Kind::tmpfs;
  made.target = mount.at;
  made.read_only = false;
  made.mode = 01777;
  made.size = mount.size;
  mounts_.push_back(std::move(made));
}

}  // namespace lithify
