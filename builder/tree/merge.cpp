// merge: changes laid over a tree, as OCI's layers are.
#include <algorithm>

#include "builder/tree/follow.h"
#include "builder/tree/tree.h"

namespace lithify {

using oci::FileType;

namespace {

class Merger {
 public:
  Merger(Tree::Nodes& nodes, bool keep_whiteouts, OnSymlink on_symlink)
      : nodes_(nodes), keep_(keep_whiteouts), on_symlink_(on_symlink) {}

  void lay(const Tree::Nodes& change) {
    redirects_.clear();
    for (const auto& [path, node] : change) {
      as_written_ = path;
      lay(redirects_.empty() ? path : redirected(path), node);
    }
  }

 private:
  void lay(const std::string& path, const Node& node) {
    switch (node.type) {
      case FileType::whiteout:
        return remove(path, node);
      case FileType::directory:
        return lay_directory(path, node);
      case FileType::opaque:
        erase_below(path);
        lay_directory(path, node);
        return;
      default:
        return replace(path, node);
    }
  }

  void remove(const std::string& path, const Node& whiteout) {
    const auto found = nodes_.find(path);
    if (found != nodes_.end()) {
      if (is_directory(found->second)) erase_below(path);
      if (!keep_) nodes_.erase(found);
    }
    if (keep_) nodes_.insert_or_assign(path, whiteout);
  }

  void replace(const std::string& path, const Node& node) {
    const auto found = nodes_.lower_bound(path);
    if (found == nodes_.end() || found->first != path) {
      nodes_.emplace_hint(found, path, node);
      return;
    }
    if (is_directory(found->second)) erase_below(path);
    found->second = node;
  }

  void lay_directory(const std::string& path, const Node& node) {
    const auto found = nodes_.lower_bound(path);
    if (found == nodes_.end() || found->first != path) {
      nodes_.emplace_hint(found, path, node)->second.type =
          keep_ ? node.type : FileType::directory;
      return;
    }
    Node& old = found->second;
    if (is_directory(old)) {
      const bool opaque =
          keep_ && (old.type == FileType::opaque || node.type == FileType::opaque);
      if (!node.implied) old = node;
      old.type = opaque ? FileType::opaque : FileType::directory;
    } else if (old.type == FileType::symlink && follows(node)) {
      redirect(path, node);
    } else if (!node.implied || old.type == FileType::whiteout) {
      // What stood here hid what is further below; the directory must go on hiding it,
      // and so has to be written even if nobody declared it.
      old = node;
      old.type = keep_ ? FileType::opaque : FileType::directory;
      old.implied = false;
    } else {
      throw no_directory(path);
    }
  }

  // An opaque directory stands for itself, whatever was in its place.
  bool follows(const Node& directory) const {
    return directory.implied ||
           (directory.type == FileType::directory && on_symlink_ == OnSymlink::follow);
  }

  // `node` and what `change` has below it go where the symlink at `path` leads.
  void redirect(const std::string& path, const Node& node) {
    const std::string led = directory_behind(nodes_, path);
    redirects_.emplace(as_written_, led);
    if (led.empty() && node.implied) return;
    ensure_directory(parent_of(led), node.attributes.mtime);
    lay_directory(led, node);
  }

  // A whiteout on the way becomes a directory again.
  void ensure_directory(std::string_view path, std::int64_t mtime) {
    if (path.empty()) return;
    const auto found = nodes_.find(path);
    if (found != nodes_.end() && is_directory(found->second)) return;
    ensure_directory(parent_of(path), mtime);
    lay_directory(std::string(path), implied_directory(mtime));
  }

  // `path` below the nearest directory above it that was redirected.
  std::string redirected(const std::string& path) const {
    for (std::string_view above = parent_of(path); !above.empty();
         above = parent_of(above)) {
      const auto found = redirects_.find(above);
      if (found == redirects_.end()) continue;
      const std::string_view rest = std::string_view(path).substr(above.size() + 1);
      std::string led = found->second;
      if (!led.empty()) led += '/';
      return led.append(rest);
    }
    return path;
  }

  void erase_below(const std::string& path) {
    const auto begin = path.empty() ? nodes_.upper_bound(std::string_view())
                                    : nodes_.lower_bound(path + '/');
    const auto end = path.empty() ? nodes_.end() : nodes_.lower_bound(path + '0');
    nodes_.erase(begin, end);
  }

  Tree::Nodes& nodes_;
  const bool keep_;
  const OnSymlink on_symlink_;
  std::string_view as_written_;  // the path now laid, as the change has it
  // Directory as the change has it -> where its contents go.
  std::map<std::string, std::string, std::less<>> redirects_;
};

bool has_marks(const Tree& change) {
  return std::any_of(change.nodes().begin(), change.nodes().end(), [](const auto& item) {
    return item.second.type == FileType::whiteout || item.second.type == FileType::opaque;
  });
}

// Commands that changed nothing are many, and a large tree is dear to copy.
std::vector<Tree> without_empty(std::span<const Tree> changes) {
  std::vector<Tree> rest;
  for (const Tree& change : changes) {
    if (!change.nodes().empty()) rest.push_back(change);
  }
  return rest;
}

}  // namespace

Tree merge(std::span<const Tree> changes, bool keep_whiteouts) {
  if (changes.size() == 1 && (keep_whiteouts || !has_marks(changes.front()))) {
    return changes.front();
  }
  Tree::Nodes nodes;
  if (!changes.empty() && keep_whiteouts) {
    nodes = changes.front().nodes();
    changes = changes.subspan(1);
  }
  Merger merger(nodes, keep_whiteouts, OnSymlink::follow);
  for (const Tree& change : changes)
    merger.lay(change.nodes());
  return Tree(std::move(nodes));
}

Tree merge(const Tree& below, const Tree& change, bool keep_whiteouts,
           OnSymlink on_symlink) {
  if (below.nodes().empty()) return merge({&change, 1}, keep_whiteouts);
  Tree::Nodes nodes = below.nodes();
  Merger(nodes, keep_whiteouts, on_symlink).lay(change.nodes());
  return Tree(std::move(nodes));
}

Tree merge_below(std::span<const Tree> changes, bool on_base) {
  if (!on_base) return merge(without_empty(changes), false);
  const Tree ours = merge(without_empty(changes.subspan(1)), true);
  if (ours.nodes().empty()) return merge(changes.first(1), false);
  return merge(changes.front(), ours, false, OnSymlink::replace);
}

}  // namespace lithify
