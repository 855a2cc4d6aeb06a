// InstalledRoot: two maps kept in step, so that looking up never merges trees.
#include "builder/debian/installed_root.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/follow.h"

namespace lithify {
namespace {

using oci::FileType;

std::string_view bare(std::string_view path) {
  while (path.starts_with('/'))
    path.remove_prefix(1);
  while (path.ends_with('/'))
    path.remove_suffix(1);
  return path;
}

}  // namespace

InstalledRoot::InstalledRoot(const Tree& below, oci::BlobStore& store, std::int64_t mtime)
    : whole_(below.nodes()), store_(store), mtime_(mtime) {}

std::string InstalledRoot::place(std::string_view path) const {
  path = bare(path);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return std::string(path);
  const auto parent = follow(whole_, path.substr(0, slash), Missing::append);
  if (!parent) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("/{} cannot be made: its symlinks lead nowhere", path));
  }
  if (parent->empty()) return std::string(path.substr(slash + 1));
  return fmt::format("{}/{}", *parent, path.substr(slash + 1));
}

std::optional<std::string> InstalledRoot::resolve(std::string_view path) const {
  return follow(whole_, bare(path), Missing::refuse);
}

const Node* InstalledRoot::find(std::string_view path) const {
  const auto end = resolve(path);
  if (!end) return nullptr;
  const auto found = whole_.find(*end);
  return found == whole_.end() ? nullptr : &found->second;
}

const Node* InstalledRoot::find_link(std::string_view path) const {
  path = bare(path);
  const std::size_t slash = path.rfind('/');
  std::string parent;
  if (slash != std::string_view::npos) {
    const auto followed = follow(whole_, path.substr(0, slash), Missing::refuse);
    if (!followed) return nullptr;
    parent = followed->empty() ? "" : *followed + "/";
    path.remove_prefix(slash + 1);
  }
  const auto found = whole_.find(parent + std::string(path));
  return found == whole_.end() ? nullptr : &found->second;
}

bool InstalledRoot::is_directory(std::string_view path) const {
  const Node* node = find(path);
  return node != nullptr && lithify::is_directory(*node);
}

std::vector<std::string> InstalledRoot::below(std::string_view directory) const {
  const auto end = follow(whole_, bare(directory), Missing::refuse);
  if (!end) return {};
  const std::string prefix = end->empty() ? "" : *end + "/";
  std::vector<std::string> paths;
  for (auto at = whole_.lower_bound(prefix);
       at != whole_.end() && at->first.starts_with(prefix); ++at) {
    if (!at->first.empty()) paths.push_back(at->first);
  }
  return paths;
}

Tree::Nodes InstalledRoot::directories_and_links() const {
  Tree::Nodes nodes;
  for (const auto& [path, node] : whole_) {
    if (lithify::is_directory(node) || node.type == FileType::symlink) {
      nodes.emplace_hint(nodes.end(), path, node);
    }
  }
  return nodes;
}

std::optional<std::string> InstalledRoot::read(std::string_view path,
                                               std::uint64_t limit) const {
  const auto end = follow(whole_, bare(path), Missing::refuse);
  if (!end) return std::nullopt;
  const auto found = whole_.find(*end);
  if (found == whole_.end() || found->second.type != FileType::regular) {
    return std::nullopt;
  }
  if (const auto text = texts_.find(*end); text != texts_.end()) return text->second;
  if (!found->second.content) return std::string();
  return oci::during([&] { return fmt::format("reading /{}", *end); },
                     [&] {
                       const auto source = open_content(*found->second.content, store_);
                       return oci::read_all(*source, limit, "the file");
                     });
}

std::string InstalledRoot::read_range(std::string_view path, std::uint64_t offset,
                                      std::uint64_t size) const {
  const Node* node = find(path);
  if (node == nullptr || !node->content) return {};
  const auto* slice = std::get_if<Slice>(&*node->content);
  if (slice == nullptr || offset >= slice->size) return {};
  size = std::min(size, slice->size - offset);
  const auto source = store_.open_range(slice->blob, slice->offset + offset, size);
  return oci::read_all(*source, size, "a part of a file");
}

void InstalledRoot::check_can_lie(std::string_view where, const Node& node) const {
  if (where.empty() && !lithify::is_directory(node)) {
    throw oci::Error(oci::Errc::bad_input, "/ cannot be anything but a directory");
  }
  for (std::string_view at = parent_of(where); !at.empty(); at = parent_of(at)) {
    const auto found = whole_.find(at);
    if (found == whole_.end()) continue;
    if (lithify::is_directory(found->second)) return;
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("/{} cannot be made: /{} is no directory", where, found->first));
  }
}

void InstalledRoot::put(std::string_view path, Node node) {
  const std::string where = place(path);
  check_can_lie(where, node);
  // Below a file that becomes a directory there is nothing; below a directory that
  // becomes something else there must not be.
  if (!lithify::is_directory(node)) {
    const std::string prefix = where + "/";
    for (auto at = whole_.lower_bound(prefix);
         at != whole_.end() && at->first.starts_with(prefix);) {
      change_.erase(at->first);
      texts_.erase(at->first);
      at = whole_.erase(at);
    }
  }
  add_implied_parents(whole_, where, k_constant_time);
  add_implied_parents(change_, where, k_constant_time);
  texts_.erase(where);
  whole_.insert_or_assign(where, node);
  change_.insert_or_assign(where, std::move(node));
}

void InstalledRoot::forget(std::string_view path) {
  const std::string where = place(path);
  if (change_.erase(where) == 0) return;
  whole_.erase(where);
  texts_.erase(where);
}

void InstalledRoot::write(std::string_view path, std::string_view text,
                          std::uint32_t mode, Owner owner) {
  Node node;
  node.attributes.mode = mode;
  node.attributes.uid = owner.uid;
  node.attributes.gid = owner.gid;
  node.attributes.mtime = mtime_;
  const std::string where = place(path);
  put(where, std::move(node));
  texts_.insert_or_assign(where, std::string(text));
}

void InstalledRoot::rewrite(std::string_view path, std::string_view text) {
  const Node* old = find_link(path);
  if (old == nullptr || old->type != FileType::regular) return write(path, text);
  write(path, text, old->attributes.mode, {old->attributes.uid, old->attributes.gid});
}

void InstalledRoot::symlink(std::string_view path, std::string_view target) {
  Node node;
  node.type = FileType::symlink;
  node.attributes.mode = 0777;
  node.attributes.mtime = mtime_;
  node.link = target;
  put(path, std::move(node));
}

void InstalledRoot::directory(std::string_view path, std::uint32_t mode, Owner owner) {
  const auto end = follow(whole_, bare(path), Missing::append);
  Node node;
  node.type = FileType::directory;
  node.attributes.mode = mode;
  node.attributes.uid = owner.uid;
  node.attributes.gid = owner.gid;
  node.attributes.mtime = mtime_;
  put(end ? *end : path, std::move(node));
}

void InstalledRoot::copy_file(std::string_view from, std::string_view to) {
  const Node* node = find(from);
  if (node == nullptr || node->type != FileType::regular) return;
  Node copy = *node;
  copy.file_id = 0;
  copy.origin.clear();
  if (!copy.content) return write(to, read(from).value_or(""), copy.attributes.mode);
  put(to, std::move(copy));
}

Tree::Nodes InstalledRoot::take() && {
  std::string all;
  for (const auto& [path, text] : texts_)
    all += text;
  const oci::BlobRef blob = oci::put(store_, all);
  std::uint64_t offset = 0;
  for (const auto& [path, text] : texts_) {
    change_.at(path).content = Slice{blob, offset, text.size()};
    offset += text.size();
  }
  return std::move(change_);
}

}  // namespace lithify
