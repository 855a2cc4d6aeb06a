// edit_copy: files of one tree at places in another.
#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/glob.h"
#include "builder/run/edit.h"
#include "builder/run/edit_unpack.h"
#include "builder/run/fetched_tree.h"
#include "builder/run/nearest.h"
#include "builder/tree/tree_path.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

std::string joined(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && !name.empty()) path += '/';
  return path.append(name);
}

// Another id for the same file copied elsewhere: it is a file of its own there.
std::uint64_t copied_id(std::uint64_t id, std::string_view destination) {
  return id == 0 ? 0 : hard_link_id(oci::Digest::of(std::to_string(id)), destination);
}

class Copier {
 public:
  Copier(const CopyAction& action, Tree source, const EditContext& context)
      : what_(action.what),
        context_(context),
        source_(std::move(source)),
        filter_(what_.include, what_.exclude),
        destination_(tree_path(what_.to.empty() ? what_.into : what_.to)) {}

  Tree copy() && {
    if (takes_whole_source()) return copy_whole_source();
    for (const std::string& pattern : what_.paths)
      copy_pattern(pattern);
    if (!what_.include.empty() && !took_)
      context_.activity.warn(fmt::format("`include` takes nothing of {}", what_.source));
    return Tree(std::move(result_));
  }

 private:
  bool takes_whole_source() const {
    const auto& nodes = source_.nodes();
    return what_.paths.size() == 1 && tree_path(what_.paths.front()).empty() &&
           !what_.unpack && filter_.takes_all() && !nodes.empty() &&
           is_directory(nodes.begin()->second);
  }

  // The usual `copy: .`, of many files: every node stays one and gets another name.
  Tree copy_whole_source() {
    const Node* root = source_.find("");
    if (!destination_.empty()) put(destination_, copied_directory(root));
    Tree::Nodes nodes = std::move(source_).take_nodes();
    nodes.erase("");
    while (!nodes.empty()) {
      auto item = nodes.extract(nodes.begin());
      Node& node = item.mapped();
      if (node.type == FileType::whiteout) continue;
      if (!destination_.empty()) item.key() = joined(destination_, item.key());
      node = is_directory(node) ? copied_directory(&node) : copied(std::move(node));
      result_.insert(result_.end(), std::move(item));
    }
    return Tree(std::move(result_));
  }

  void copy_pattern(const std::string& pattern) {
    const Glob glob(pattern);
    if (glob.is_literal()) return copy_path(found(glob.literal(), pattern));
    bool any = false;
    std::string last;  // what is below it was copied with it
    for (const auto& [path, node] : source_.nodes()) {
      if (path.empty() || node.type == FileType::whiteout || !glob.matches(path))
        continue;
      any = true;
      if (!last.empty() && path.size() > last.size() && path[last.size()] == '/' &&
          path.compare(0, last.size(), last) == 0) {
        continue;
      }
      if (is_directory(node)) last = path;
      if (is_directory(node) || filter_.takes(name_of(path))) copy_path(path);
    }
    if (!any) {
      throw Error(Errc::not_found,
                  fmt::format("\"{}\" matches nothing in the {}", pattern, whence()));
    }
  }

  // Where a path written in the build file is. Symlinks above it are followed inside the
  // source, it itself is not.
  std::string found(const std::string& path, const std::string& written) const {
    if (path.empty() || is_there(path)) return path;
    const auto parent = source_.resolve(parent_of(path));
    if (parent) {
      std::string led = joined(*parent, name_of(path));
      if (is_there(led)) return led;
    }
    Error error(Errc::not_found,
                fmt::format("\"{}\" is not in the {}", written, whence()));
    if (const auto name = nearest_path(path, source_)) {
      error.add_hint(fmt::format("did you mean \"{}\"?", *name));
    }
    throw error;
  }

  std::string whence() const {
    return (what_.of_stage ? "stage " : "source ") + what_.source;
  }

  // The layers of an image leave whiteouts of what they removed.
  bool is_there(const std::string& path) const {
    const Node* node = source_.find(path);
    return node && node->type != FileType::whiteout;
  }

  void copy_path(const std::string& path) {
    const Node* node = source_.find(path);
    if (path.empty()) {
      // A source that is one file is that file: it has no root directory.
      const auto& nodes = source_.nodes();
      if (nodes.size() == 1 && !node && !is_directory(nodes.begin()->second)) {
        return copy_path(nodes.begin()->first);
      }
      return copy_directory(path, destination_);
    }
    if (what_.unpack && !is_directory(*node)) return unpack(path, *node);
    const std::string to = destination_of(path);
    if (is_directory(*node)) return copy_directory(path, to);
    copy_file(path, *node, to);
  }

  std::string destination_of(const std::string& path) const {
    if (what_.keep_paths) return joined(destination_, path);
    return what_.to.empty() ? joined(destination_, name_of(path)) : destination_;
  }

  void copy_file(const std::string& path, const Node& node, const std::string& to) {
    if (to.empty()) {
      throw Error(
          Errc::bad_input,
          fmt::format("\"{}\" is a file and cannot become the root directory", path));
    }
    const auto before = named_.emplace(to, path);
    if (!before.second && before.first->second != path) {
      Error error(Errc::bad_input, fmt::format("\"{}\" and \"{}\" would both become /{}",
                                               before.first->second, path, to));
      error.add_hint(what_.to.empty() ? "keep-paths: true"
                                      : "use `into` instead of `to`");
      throw error;
    }
    took_ = true;
    put(to, copied(node));
  }

  void copy_directory(const std::string& path, const std::string& to) {
    if (what_.unpack) {
      throw Error(Errc::bad_input,
                  fmt::format("`unpack: true` wants archives, but \"{}\" is a directory",
                              path.empty() ? "." : path));
    }
    const Node* root = source_.find(path);
    if (!to.empty()) put(to, copied_directory(root));
    const auto& nodes = source_.nodes();
    const auto begin = path.empty() ? nodes.upper_bound(std::string_view())
                                    : nodes.lower_bound(path + '/');
    const auto end = path.empty() ? nodes.end() : nodes.lower_bound(path + '0');
    const std::size_t skip = path.empty() ? 0 : path.size() + 1;
    for (auto at = begin; at != end; ++at) {
      if (at->second.type == FileType::whiteout) continue;
      const std::string_view relative = std::string_view(at->first).substr(skip);
      if (!filter_.takes_all() && !filter_.takes(relative)) continue;
      took_ = true;
      if (!filter_.includes_all()) declare_parents(at->first, skip, to);
      const std::string target = joined(to, relative);
      put(target,
          is_directory(at->second) ? copied_directory(&at->second) : copied(at->second));
    }
  }

  // Directories of the source that `include` does not name but that hold something which
  // it does: they are copied as well.
  void declare_parents(std::string_view path, std::size_t skip, const std::string& to) {
    for (std::string_view above = parent_of(path); above.size() >= skip && !above.empty();
         above = parent_of(above)) {
      std::string target = joined(to, above.substr(skip));
      if (skip > above.size() || target == to) return;
      const auto known = result_.find(target);
      if (known != result_.end() && !known->second.implied) return;
      result_.insert_or_assign(target, copied_directory(source_.find(above)));
    }
  }

  void unpack(const std::string& path, const Node& node) {
    if (node.type != FileType::regular) {
      throw Error(Errc::bad_input,
                  fmt::format("`unpack: true` wants archives, but \"{}\" is none", path));
    }
    const std::string to =
        what_.keep_paths ? joined(destination_, parent_of(path)) : destination_;
    Tree::Nodes members =
        oci::during([&] { return "unpacking " + path; },
                    [&] {
                      return unpack_members(node, {0, "", path}, context_);
                    });
    if (!to.empty()) put(to, copied_directory(nullptr));
    for (auto& [member, made] : members) {
      const std::string target = joined(to, member);
      if (target.empty() || member.empty()) continue;
      if (!filter_.takes_all() && !filter_.takes(member)) continue;
      took_ = true;
      put(target, is_directory(made) ? copied_directory(&made) : copied(made));
    }
  }

  // What stands at `to` already came with an earlier path: the later one wins, but a
  // directory joins a directory.
  void put(const std::string& to, Node node) {
    const auto at = result_.lower_bound(to);
    const bool there = at != result_.end() && at->first == to;
    if (there && is_directory(at->second) != is_directory(node)) {
      throw Error(Errc::bad_input,
                  fmt::format("/{} would be a directory and a file at once", to));
    }
    if (there) {
      at->second = std::move(node);
      return;
    }
    const std::string_view parent = parent_of(to);
    if (parent != last_parent_) {
      add_implied_parents(result_, to, k_constant_time);
      check_directory(parent);
      last_parent_ = parent;
    }
    result_.emplace_hint(at, to, std::move(node));
  }

  void check_directory(std::string_view path) const {
    const auto found = result_.find(path);
    if (found != result_.end() && !is_directory(found->second)) {
      throw Error(Errc::bad_input,
                  fmt::format("/{} would be a directory and a file at once", path));
    }
  }

  Node copied(Node node) const {
    node.attributes.mode = node.type == FileType::symlink
                               ? 0777
                               : what_.mode.value_or(node.attributes.mode & 0777);
    node.file_id = copied_id(node.file_id, destination_);
    own(node);
    return node;
  }

  Node copied_directory(const Node* node) const {
    Node copy;
    copy.type = FileType::directory;
    const std::uint32_t mode = node ? node->attributes.mode & 0777 : 0755;
    copy.attributes.mode = what_.dir_mode.value_or(mode);
    copy.attributes.mtime = node ? node->attributes.mtime : k_constant_time;
    if (node) copy.origin = node->origin;
    own(copy);
    return copy;
  }

  // What has the constant time has none of its own; everything else was packaged.
  void own(Node& copy) const {
    copy.attributes.uid = what_.owner.uid;
    copy.attributes.gid = what_.owner.gid;
    copy.attributes.xattrs.clear();
    std::int64_t& mtime = copy.attributes.mtime;
    mtime = mtime == k_constant_time ? context_.edit.mtime
                                     : std::min(mtime, context_.edit.clamp);
  }

  const CopyStep& what_;
  const EditContext& context_;
  Tree source_;
  PathFilter filter_;
  std::string destination_;
  Tree::Nodes result_;
  std::map<std::string, std::string> named_;  // destination to path, of single files
  std::string last_parent_;
  bool took_ = false;  // anything that `include` names
};

}  // namespace

Tree copy_files(const CopyAction& action, Tree source, const EditContext& context) {
  return Copier(action, std::move(source), context).copy();
}

}  // namespace lithify
