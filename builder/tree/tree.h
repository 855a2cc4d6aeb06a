// Tree: an immutable file tree as a value, or the change from one tree to another.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "oci/base/digest.h"
#include "oci/layer/entry.h"
#include "oci/store/blob_store.h"

namespace lithify {

// mtime of all that comes from no package or archive: 1980-01-01T00:00:00Z.
inline constexpr std::int64_t k_constant_time = 315532800;

// Part of a blob of the store.
struct Slice {
  oci::BlobRef blob;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool operator==(const Slice&) const = default;
};

// Where a file of the user's was seen. Siblings share the text of their directory.
class LocalPath {
 public:
  LocalPath(std::string_view path);
  // `directory` ends with a slash, or is empty.
  LocalPath(std::shared_ptr<const std::string> directory, std::string name)
      : directory_(std::move(directory)), name_(std::move(name)) {}

  std::string str() const { return *directory_ + name_; }
  bool operator==(const LocalPath& other) const { return str() == other.str(); }

 private:
  std::shared_ptr<const std::string> directory_;  // of each file seen there
  std::string name_;
};

// A file of the user's, read in place when it is packed and checked against its digest
// while it is read. `path` is not part of any digest.
struct LocalFile {
  LocalPath path;
  std::uint64_t size = 0;
  oci::Digest digest;
  bool operator==(const LocalFile&) const = default;
};

using Content = std::variant<Slice, LocalFile>;
std::uint64_t size_of(const Content& content);

// Bytes of a content. A local file that changed since it was seen is Errc::mismatch that
// names it.
std::unique_ptr<oci::Source> open_content(const Content& content,
                                          const oci::BlobStore& store);

// One path of a tree. Never FileType::hardlink: names of one file are regular nodes with
// the same non-zero `file_id`, so that filters and copies cannot leave a link dangling.
// FileType::opaque is a directory with attributes like any other that hides everything
// which was below it; in a layer it is two entries, the directory and the mark. A regular
// node without content is empty.
struct Node {
  oci::FileType type = oci::FileType::regular;
  oci::Attributes attributes = {};
  std::optional<Content> content = {};  // regular files
  std::string link = {};                // symlinks
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t file_id = 0;  // made by hard_link_id(); 0: no other name
  // A directory that nobody declared: it exists so that something below it can.
  bool implied = false;
  std::string origin = {};  // the package it came from; empty: none
  bool operator==(const Node&) const = default;
};

// The same for the same blob and first name, whatever else is in the tree.
std::uint64_t hard_link_id(const oci::Digest& blob, std::string_view first_name);

// Cheap to copy; shared between threads. A change may hold whiteouts and opaque marks; a
// full tree has none.
class Tree {
 public:
  // By path without leading slash, in byte order; "" (the root directory) only if
  // something declared it.
  using Nodes = std::map<std::string, Node, std::less<>>;

  Tree();  // empty
  explicit Tree(Nodes nodes);

  const Nodes& nodes() const;
  // The nodes for changing: a copy, unless no other tree shares them.
  Nodes take_nodes() &&;
  const Node* find(std::string_view path) const;
  // Follows symlinks of the tree itself, staying inside it, at most 40; nullopt if the
  // path does not lead to a node.
  std::optional<std::string> resolve(std::string_view path) const;

  // Names everything but where local files lie; computed once.
  const oci::Digest& digest() const;
  bool has_local_files() const;

  // A canonical text, one line a node, described in tree_text.cpp; from_text is its
  // inverse and refuses hostile text with Errc::bad_input. A tree with local files has no
  // text: Errc::internal.
  std::string to_text() const;
  static Tree from_text(std::string_view text);
  // The same for what to_text() wrote and somebody has checked against `digest`: most
  // trees of a build in which nothing changed are asked for nothing but that, so that
  // the text is read when the nodes are first asked for.
  static Tree from_stored(std::string text, const oci::Digest& digest);

 private:
  struct Cached;
  std::shared_ptr<Nodes> nodes_;  // changed by take_nodes() alone
  std::shared_ptr<Cached> cached_;
};

// True for the two types that have children.
inline bool is_directory(const Node& node) {
  return node.type == oci::FileType::directory || node.type == oci::FileType::opaque;
}

// The directory of a path; "" for names at the top.
std::string_view parent_of(std::string_view path);
// Its last component.
std::string_view name_of(std::string_view path);

// Errc::internal unless every path is well formed and stands below directories of the
// tree itself. Whiteouts need none above them.
void check_sound(const Tree::Nodes& nodes);

// A directory that nobody declared: 0755, 0:0.
Node implied_directory(std::int64_t mtime);

// Adds directories above `path` that are missing, implied.
void add_implied_parents(Tree::Nodes& nodes, std::string_view path, std::int64_t mtime);

// What a directory that somebody declared does to a symlink which it is laid on. Steps
// follow it, as `cp` and dpkg do. In the layers of an OCI image it replaces the symlink.
enum class OnSymlink { follow, replace };

// Lays `change` over `below`: whiteouts and opaque marks take away, a directory over a
// directory keeps what is in it and gives its attributes, anything else replaces. A
// directory over a symlink goes with all that is in it where the symlink leads (what is
// missing there is implied); if that is no directory, it is Errc::bad_input. An implied
// directory never replaces: over a file it is Errc::bad_input. With `keep_whiteouts` the
// result is itself a change, and a directory in the place of something else becomes
// opaque.
Tree merge(const Tree& below, const Tree& change, bool keep_whiteouts,
           OnSymlink on_symlink = OnSymlink::follow);

// All of them, lowest first, at the cost of one copy.
Tree merge(std::span<const Tree> changes, bool keep_whiteouts);

// The full tree that a step stands on, of the changes below it, lowest first. With
// `on_base` the first is a base whose layers are reused, so that the others lie on it as
// layers do (OnSymlink::replace).
Tree merge_below(std::span<const Tree> changes, bool on_base);

}  // namespace lithify
