// WorkDirectory: a place on the disk for one step, gone with whoever made it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "oci/base/fd.h"

namespace lithify {

// Removes a directory and all in it, whatever the permission bits of its directories say;
// symlinks are never followed. False if something of it is left.
bool remove_all_of(const std::filesystem::path& directory) noexcept;

// The same, by who knows how to remove what belongs to others. Never throws.
using Remover = std::function<bool(const std::filesystem::path&)>;

// A new directory below `parent`, 0700, removed with everything in it at the end. While
// it lives its name is locked (flock), so that what a killed process left can be told
// from what is in use. One thread at a time.
class WorkDirectory {
 public:
  explicit WorkDirectory(const std::filesystem::path& parent,
                         Remover remove = remove_all_of);
  ~WorkDirectory();
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // It stays; somebody wants to look at it. Nobody's remove_dead_work() takes it away.
  void keep();

 private:
  const Remover remove_;
  std::filesystem::path path_;
  oci::Fd lock_;
  bool kept_ = false;
};

// Removes work directories below `parent` whose makers are gone. What cannot be removed
// now stays for the next time.
void remove_dead_work(const std::filesystem::path& parent,
                      const Remover& remove = remove_all_of) noexcept;

}  // namespace lithify
