// SharedRoots: trees on the disk that many commands look at and none writes to.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/fd.h"

#include "builder/root/lay_out.h"
#include "builder/tree/tree.h"

namespace lithify {

// What a command stands on: changes, lowest first, and what they make together.
struct RootTrees {
  const Tree& whole;
  std::span<const Tree> changes;
  bool on_base = false;  // Step::on_base
};

// Directories that together are a tree, topmost first: an overlay's `lower`. While this
// lives nobody removes them.
struct HeldRoot {
  std::vector<std::string> directories;
  std::vector<oci::Fd> locks;
};

// The directory `roots` of a store. Each of its entries is made under a temporary name
// and renamed, is named after what it holds and for whose ids, and is locked (flock)
// while it is used, so that several processes share it.
//
// What is in an entry is trusted as long as this boot of the machine lasts and nothing in
// it has another inode, size or time of change than when it was made: that is looked at
// once in the life of this object. Else it is made anew.
//
// Any thread.
class SharedRoots {
 public:
  explicit SharedRoots(std::filesystem::path directory)
      : directory_(std::move(directory)) {}

  // What the changes make. What is there already is used again: a root of the first of
  // them and layers for the others, at most k_most_layers.
  HeldRoot root_of(const RootTrees& trees, const RootTools& tools,
                   oci::Activity& activity, std::stop_token stop);
  // A tree to be looked at, in one directory.
  HeldRoot tree(const Tree& tree, const RootTools& tools, oci::Activity& activity,
                std::stop_token stop);

  static constexpr std::size_t k_most_layers = 8;

 private:
  struct Entry;
  class Chain;
  // An entry that was looked at, by the file that says what it should be.
  struct Known {
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0;
    std::vector<std::string> below;
  };
  using Make = std::function<std::vector<std::string>(const std::filesystem::path&)>;

  std::optional<Entry> find(const std::string& name, std::stop_token stop);
  std::optional<std::vector<std::string>> look(const std::string& name,
                                               std::stop_token stop);
  static std::optional<Known> identify(const std::filesystem::path& entry);
  void know(const std::string& name, std::vector<std::string> below);
  bool find_unlocked(const std::string& name, const std::stop_token& stop);
  Entry take(const std::string& name, const RootTools& tools, const Make& make,
             std::stop_token stop);
  void make_entry(const std::string& name, const RootTools& tools, const Make& make,
                  std::stop_token stop);

  const std::filesystem::path directory_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

// Removes the entries of `directory` that nobody uses, and whose last use `is_old` by its
// time in seconds since 1970. Returns the bytes freed.
std::uint64_t prune_roots(const std::filesystem::path& directory,
                          const std::function<bool(std::int64_t)>& is_old,
                          const std::string& program);

}  // namespace lithify
