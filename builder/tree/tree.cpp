#include "builder/tree/tree.h"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/follow.h"
#include "builder/tree/tree_text.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

LocalPath::LocalPath(std::string_view path)
    : LocalPath(std::make_shared<const std::string>(
                    path.substr(0, path.size() - name_of(path).size())),
                std::string(name_of(path))) {}

std::uint64_t size_of(const Content& content) {
  return std::visit([](const auto& of) { return of.size; }, content);
}

std::uint64_t hard_link_id(const oci::Digest& blob, std::string_view first_name) {
  oci::Hasher hasher;
  hasher.update(oci::Bytes(blob.raw()));
  hasher.update(first_name);
  const oci::Digest digest = std::move(hasher).finish();
  std::uint64_t id = 0;
  for (int i = 0; i < 8; ++i)
    id = id << 8 | std::to_integer<std::uint64_t>(digest.raw()[i]);
  return id == 0 ? 1 : id;
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

struct Tree::Cached {
  std::once_flag read_once;
  std::string unread;  // the text of the nodes, until they are asked for
  std::once_flag digest_once;
  std::optional<oci::Digest> digest;
  std::once_flag local_once;
  bool has_local_files = false;
};

Tree::Tree() : Tree(Nodes{}) {}

Tree::Tree(Nodes nodes)
    : nodes_(std::make_shared<Nodes>(std::move(nodes))),
      cached_(std::make_shared<Cached>()) {}

const Tree::Nodes& Tree::nodes() const {
  std::call_once(cached_->read_once, [this] {
    if (cached_->unread.empty()) return;
    *nodes_ = read_tree_text(cached_->unread);
    cached_->unread = std::string();
  });
  return *nodes_;
}

Tree::Nodes Tree::take_nodes() && {
  nodes();
  const std::shared_ptr<Nodes> nodes = std::move(nodes_);
  *this = Tree();
  return nodes.use_count() == 1 ? std::move(*nodes) : *nodes;
}

const Node* Tree::find(std::string_view path) const {
  const auto found = nodes().find(path);
  return found == nodes().end() ? nullptr : &found->second;
}

std::optional<std::string> Tree::resolve(std::string_view path) const {
  return follow(nodes(), path, Missing::refuse);
}

const oci::Digest& Tree::digest() const {
  std::call_once(cached_->digest_once,
                 [this] { cached_->digest = digest_of_tree_text(nodes()); });
  return *cached_->digest;
}

bool Tree::has_local_files() const {
  std::call_once(cached_->local_once, [this] {
    cached_->has_local_files =
        std::any_of(nodes().begin(), nodes().end(), [](const auto& item) {
          const auto& content = item.second.content;
          return content && std::holds_alternative<LocalFile>(*content);
        });
  });
  return cached_->has_local_files;
}

std::string Tree::to_text() const {
  return write_tree_text(nodes());
}

Tree Tree::from_text(std::string_view text) {
  return Tree(read_tree_text(text));
}

Tree Tree::from_stored(std::string text, const oci::Digest& digest) {
  Tree tree;
  Cached& cached = *tree.cached_;
  cached.unread = std::move(text);
  std::call_once(cached.digest_once, [&] { cached.digest = digest; });
  std::call_once(cached.local_once, [] {});  // a text has none
  return tree;
}

void check_sound(const Tree::Nodes& nodes) {
  std::string_view good;  // the directory of the node before, already found
  for (const auto& [path, node] : nodes) {
    if (const char* problem = path_problem(path)) {
      throw Error(Errc::internal, fmt::format("a tree's path \"{}\" {}", path, problem));
    }
    if (path.empty() && !is_directory(node)) {
      throw Error(Errc::internal, "the root of a tree is no directory");
    }
    const std::string_view parent = parent_of(path);
    if (parent.empty() || parent == good || node.type == FileType::whiteout) continue;
    const auto above = nodes.find(parent);
    if (above == nodes.end() || !is_directory(above->second)) {
      throw Error(Errc::internal,
                  fmt::format("a tree holds \"{}\" but \"{}\" is {}", path, parent,
                              above == nodes.end() ? "missing" : "no directory"));
    }
    good = above->first;
  }
}

Node implied_directory(std::int64_t mtime) {
  Node directory;
  directory.type = FileType::directory;
  directory.attributes.mode = 0755;
  directory.attributes.mtime = mtime;
  directory.implied = true;
  return directory;
}

void add_implied_parents(Tree::Nodes& nodes, std::string_view path, std::int64_t mtime) {
  for (std::string_view at = parent_of(path); !at.empty(); at = parent_of(at)) {
    if (nodes.find(at) != nodes.end()) return;
    nodes.emplace(at, implied_directory(mtime));
  }
}

}  // namespace lithify
