// edit_attributes: what is taken away from, and changed on, the tree below.
#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/glob.h"
#include "builder/run/edit.h"
#include "builder/run/fetched_tree.h"
#include "builder/run/nearest.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

// The glob with the symlinks above what it names followed, as steps that write follow
// them: /bin/sh of an image with merged /usr is /usr/bin/sh.
Glob followed(const Glob& written, const Tree& tree) {
  const std::string parent = written.literal_parent();
  const auto led = tree.resolve(parent);
  if (!led || *led == parent) return written;
  // No pattern can spell such a name.
  if (led->find_first_of("*?[") != std::string::npos) return written;
  return Glob(*led + "/" + written.literal().substr(parent.size() + 1));
}

// Calls `with(path, node)` for what the glob matches, and says how many those were.
template <class With>
std::size_t each_match(const Glob& written, const Tree& tree, With with) {
  const Glob glob = followed(written, tree);
  if (glob.is_literal()) {
    const Node* node = tree.find(glob.literal());
    if (node) with(glob.literal(), *node);
    return node ? 1 : 0;
  }
  std::size_t matches = 0;
  for (const auto& [path, node] : tree.nodes()) {
    if (path.empty() || !glob.matches(path)) continue;
    ++matches;
    with(path, node);
  }
  return matches;
}

bool stands_below_any(std::string_view path, const Tree::Nodes& removed) {
  for (std::string_view above = parent_of(path); !above.empty();
       above = parent_of(above)) {
    if (removed.find(above) != removed.end()) return true;
  }
  return false;
}

Node changed(const Node& node, const AttrsStep& what, bool named) {
  Node copy = node;
  copy.implied = false;
  if (what.owner) {
    copy.attributes.uid = what.owner->uid;
    copy.attributes.gid = what.owner->gid;
  }
  if (is_directory(node)) {
    copy.type = FileType::directory;
    if (what.dir_mode || (named && what.mode)) {
      copy.attributes.mode = what.dir_mode ? *what.dir_mode : *what.mode;
    }
  } else if (node.type != FileType::symlink && what.mode) {
    copy.attributes.mode = *what.mode;
  }
  for (const auto& [name, value] : what.xattrs)
    copy.attributes.xattrs[name] = value;
  // Written again, it is another file than the names which are left as they are.
  if (copy.file_id != 0) {
    copy.file_id = hard_link_id(oci::Digest::of(std::to_string(copy.file_id)), "attrs");
  }
  return copy;
}

}  // namespace

Tree remove_files(const RemoveStep& what, const Tree& below, const EditContext& context) {
  Tree::Nodes removed;
  for (const std::string& pattern : what.globs) {
    const std::size_t matches =
        each_match(Glob(pattern), below, [&](const std::string& path, const Node&) {
          if (path.empty() || stands_below_any(path, removed)) return;
          removed[path].type = FileType::whiteout;
        });
    if (matches == 0) context.warn(pattern + " is not there to be removed");
  }
  // A pattern may have named a directory after its contents.
  for (auto at = removed.begin(); at != removed.end();)
    at = stands_below_any(at->first, removed) ? removed.erase(at) : std::next(at);
  return Tree(std::move(removed));
}

Tree set_attributes(const AttrsStep& what, const Tree& below,
                    const EditContext& context) {
  Tree::Nodes nodes;
  for (const std::string& pattern : what.globs) {
    const Glob glob(pattern);
    const auto change = [&](const std::string& path, const Node& node) {
      if (!path.empty()) add_implied_parents(nodes, path, k_constant_time);
      nodes.insert_or_assign(path, changed(node, what, glob.is_literal()));
    };
    if (each_match(glob, below, change) > 0) continue;
    if (!glob.is_literal()) {
      context.warn(pattern + " matches nothing whose attributes could change");
      continue;
    }
    Error error(Errc::not_found, fmt::format("{} is not in the image", pattern));
    if (const auto name = nearest_path(glob.literal(), below)) {
      error.add_hint(fmt::format("did you mean \"/{}\"?", *name));
    }
    throw error;
  }
  return Tree(std::move(nodes));
}

}  // namespace lithify
