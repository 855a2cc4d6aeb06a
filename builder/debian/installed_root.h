// InstalledRoot: a system while packages are laid over it: what is below, and the change.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/store/blob_store.h"

#include "builder/plan/recipe.h"
#include "builder/tree/tree.h"

namespace lithify {

// Everything is looked up in the whole (below and change); everything made goes into the
// change. Paths have no leading slash; a leading slash of an argument is ignored. Parents
// that are symlinks are followed; missing ones are implied directories. What would lie
// below something that is no directory, or would be the root and no directory, is
// Errc::bad_input.
class InstalledRoot {
 public:
  // What is made here gets this time.
  InstalledRoot(const Tree& below, oci::BlobStore& store, std::int64_t mtime);

  // The node at the end of all symlinks, or nullptr.
  const Node* find(std::string_view path) const;
  // The node itself; only its parents' symlinks are followed.
  const Node* find_link(std::string_view path) const;
  bool is_directory(std::string_view path) const;
  // Where find() finds it, or nullopt.
  std::optional<std::string> resolve(std::string_view path) const;
  // Where a thing made at `path` would lie.
  std::string place(std::string_view path) const;
  // Paths below a directory whose symlinks are followed: the whole subtree, in byte
  // order, as paths of the root.
  std::vector<std::string> below(std::string_view directory) const;

  // A copy of what decides where paths lead.
  Tree::Nodes directories_and_links() const;

  // The text of a regular file, or nullopt. More than `limit` bytes is Errc::bad_input.
  std::optional<std::string> read(std::string_view path,
                                  std::uint64_t limit = 16 << 20) const;

  // At most `size` bytes from `offset` of a packaged regular file; "" if there is none.
  std::string read_range(std::string_view path, std::uint64_t offset,
                         std::uint64_t size) const;

  // Each replaces what is there, whatever it is, except that directory() only sets the
  // attributes of an existing directory.
  void write(std::string_view path, std::string_view text, std::uint32_t mode = 0644,
             Owner owner = {});
  // Keeps mode and owner of a file that is there; else 0644 root.
  void rewrite(std::string_view path, std::string_view text);
  void symlink(std::string_view path, std::string_view target);
  void directory(std::string_view path, std::uint32_t mode = 0755, Owner owner = {});
  void put(std::string_view path, Node node);
  // Only for what the change itself made.
  void forget(std::string_view path);

  // The file `from` once more under the name `to`, with its attributes and time.
  void copy_file(std::string_view from, std::string_view to);

  Tree::Nodes take() &&;

 private:
  void check_can_lie(std::string_view where, const Node& node) const;

  Tree::Nodes whole_;
  Tree::Nodes change_;
  // Contents of files written here, by place; they become one blob in the end, because
  // each blob costs a sync of the disk.
  std::map<std::string, std::string, std::less<>> texts_;
  oci::BlobStore& store_;
  std::int64_t mtime_;
};

}  // namespace lithify
