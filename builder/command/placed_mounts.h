// PlacedMounts: mounts where nothing can be mounted: moved into the root and out again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// For level L1. What a step would see mounted lies on the same file system as its root,
// so it is renamed into it, and what stood there aside; the end of this object, or
// put_back(), undoes both. Nothing is read-only then; what is written to a source's files
// is lost with them. One thread at a time.
class PlacedMounts {
 public:
  // `root` is the step's, `directory` its work directory.
  PlacedMounts(std::filesystem::path root, std::filesystem::path directory)
      : root_(std::move(root)), directory_(std::move(directory)) {}
  ~PlacedMounts();
  PlacedMounts(const PlacedMounts&) = delete;
  PlacedMounts& operator=(const PlacedMounts&) = delete;

  // Takes binds and temporary directories out of `mounts` and places them, in their
  // order. Errc::bad_input for a target below a symlink.
  void take(std::vector<SandboxMount>& mounts);
  // Undoes it; the directories that were made for targets, parents first, stay behind, as
  // SandboxOutcome::made has them.
  const std::vector<std::string>& put_back();

 private:
  struct Placed {
    std::filesystem::path source;
    std::filesystem::path target;
    std::filesystem::path aside;  // what stood there; empty: nothing did
    mode_t type = 0;              // of the source
  };

  void place(const SandboxMount& mount);
  void make_parents(const std::string& path);

  const std::filesystem::path root_;
  const std::filesystem::path directory_;
  std::vector<Placed> placed_;
  std::vector<std::string> made_;
};

}  // namespace lithify
