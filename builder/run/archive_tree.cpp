#include "builder/run/archive_tree.h"

#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

using oci::Entry;
using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

class ArchiveTree {
 public:
  ArchiveTree(oci::BlobStore& store, const ArchiveTreeRequest& request)
      : store_(store), request_(request) {}

  void add(const Entry& entry, oci::ArchiveReader& from) {
    const auto path = request_.place(entry.path);
    if (!path) return;
    check_parent(*path, entry);
    switch (entry.type) {
      case FileType::whiteout:
        return add_whiteout(*path);
      case FileType::opaque:
        return add_opaque(*path);
      case FileType::hardlink:
        return add_link(*path, entry);
      case FileType::directory:
        return add_directory(*path, entry);
      default:
        return add_file(*path, entry, from);
    }
  }

  // The blob gets its name only now, and with it the slices.
  Tree::Nodes finish() && {
    if (written_ == 0) return std::move(nodes_);
    const oci::BlobRef blob = writer_->commit();
    std::map<std::uint64_t, std::uint64_t> ids;
    for (const auto& [number, first] : links_)
      ids.emplace(number, hard_link_id(blob.digest, first));
    for (auto& [path, node] : nodes_) {
      if (node.file_id != 0) node.file_id = ids.at(node.file_id);
      if (!node.content) continue;
      auto& slice = std::get<Slice>(*node.content);
      slice.blob = blob;
    }
    return std::move(nodes_);
  }

 private:
  Node node_of(const Entry& entry, FileType type) const {
    Node node;
    node.type = type;
    node.attributes = entry.attributes;
    node.link = type == FileType::symlink ? entry.link : std::string();
    node.device_major = entry.device_major;
    node.device_minor = entry.device_minor;
    request_.adjust(entry, node.attributes);
    return node;
  }

  void check_parent(const std::string& path, const Entry& entry) {
    if (entry.type == FileType::whiteout) return;  // it needs nothing above it
    for (std::string_view at = parent_of(path); !at.empty(); at = parent_of(at)) {
      const auto hidden = nodes_.find(at);
      if (hidden == nodes_.end()) continue;
      if (hidden->second.type == FileType::whiteout) hidden->second = opaque_directory();
      break;
    }
    add_implied_parents(nodes_, path, request_.implied_mtime);
    const std::string_view parent = parent_of(path);
    if (parent.empty()) return;
    if (!is_directory(nodes_.find(parent)->second)) {
      throw Error(Errc::bad_input,
                  fmt::format("{} holds \"{}\", but \"{}\" in it is no directory",
                              request_.name, entry.path, parent));
    }
  }

  void erase(const std::string& path) {
    const auto found = nodes_.find(path);
    if (found == nodes_.end()) return;
    if (is_directory(found->second)) {
      nodes_.erase(nodes_.lower_bound(path + '/'), nodes_.lower_bound(path + '0'));
    }
    nodes_.erase(found);
  }

  // What this layer itself has at a hidden path stays, whichever of the two came first:
  // a directory hides what was below it, anything else replaces it anyway.
  void add_whiteout(const std::string& path) {
    const auto [at, is_new] = nodes_.try_emplace(path);
    if (is_new) {
      at->second.type = FileType::whiteout;
    } else if (is_directory(at->second)) {
      at->second.type = FileType::opaque;
      at->second.implied = false;
    }
  }

  void add_directory(const std::string& path, const Entry& entry) {
    const auto found = nodes_.find(path);
    Node node = node_of(entry, FileType::directory);
    if (found != nodes_.end() && (found->second.type == FileType::opaque ||
                                  found->second.type == FileType::whiteout)) {
      node.type = FileType::opaque;
    }
    nodes_.insert_or_assign(path, std::move(node));
  }

  void add_opaque(const std::string& path) {
    const auto [at, is_new] = nodes_.try_emplace(path, opaque_directory());
    if (is_new) {
      at->second.implied = true;
    } else if (is_directory(at->second)) {
      at->second.type = FileType::opaque;
    } else {
      at->second = opaque_directory();
    }
  }

  // In the place of something that is hidden, so it is written even if nobody declared
  // it.
  Node opaque_directory() const {
    Node node;
    node.type = FileType::opaque;
    node.attributes.mode = 0755;
    node.attributes.mtime = request_.implied_mtime;
    return node;
  }

  void add_link(const std::string& path, const Entry& entry) {
    const auto first_path = request_.place(entry.link);
    const auto first = first_path ? nodes_.find(*first_path) : nodes_.end();
    if (first == nodes_.end() || first->second.type != FileType::regular) {
      throw Error(
          Errc::bad_input,
          fmt::format("{}: \"{}\" is a hard link to \"{}\", which is no file among "
                      "the members taken",
                      request_.name, entry.path, entry.link));
    }
    if (first->first == path) return;
    if (first->second.file_id == 0) {
      links_.emplace_back(links_.size() + 1, first->first);
      first->second.file_id = links_.size();
    }
    Node node = first->second;
    erase(path);
    nodes_.insert_or_assign(path, std::move(node));
  }

  void add_file(const std::string& path, const Entry& entry, oci::ArchiveReader& from) {
    if (path.empty()) {
      throw Error(Errc::bad_input,
                  fmt::format("{}: its root is no directory", request_.name));
    }
    Node node = node_of(entry, entry.type);
    if (entry.type == FileType::regular && entry.size > 0) {
      if (!writer_) writer_ = store_.create();
      const std::uint64_t size = oci::copy(from.content(), *writer_);
      node.content = Slice{{k_unnamed, 0}, written_, size};
      written_ += size;
    }
    erase(path);
    nodes_.insert_or_assign(path, std::move(node));
  }

  // Stands in slices until the blob is committed.
  inline static const oci::Digest k_unnamed = oci::Digest::of("");

  oci::BlobStore& store_;
  const ArchiveTreeRequest& request_;
  std::unique_ptr<oci::BlobWriter> writer_;
  std::uint64_t written_ = 0;
  Tree::Nodes nodes_;
  std::vector<std::pair<std::uint64_t, std::string>> links_;  // number, first name
};

}  // namespace

Tree::Nodes read_archive_tree(oci::ArchiveReader& from, oci::BlobStore& store,
                              const ArchiveTreeRequest& request, std::stop_token stop) {
  ArchiveTree tree(store, request);
  while (const auto entry = from.next()) {
    if (stop.stop_requested()) throw oci::Cancelled();
    tree.add(*entry, from);
  }
  return std::move(tree).finish();
}

}  // namespace lithify
