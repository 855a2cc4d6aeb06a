// StepRoot: a tree on the disk for one command, and what the command made of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/fd.h"

#include "builder/root/lay_out.h"
#include "builder/root/shared_roots.h"
#include "builder/sandbox/sandbox.h"
#include "builder/tree/survey.h"
#include "builder/tree/tree.h"

namespace lithify {

// Either a copy of every file, or what the command writes over a shared root
// (SharedRoots) that an overlay shows; the command sees the same, and what it made of it
// is the same. Lives in a work directory of the step's, which removes it. One thread at a
// time.
class StepRoot {
 public:
  // Makes it below `directory`, which is empty.
  StepRoot(const RootTrees& trees, std::filesystem::path directory,
           const RootTools& tools, oci::Activity& activity, std::stop_token stop);

  // Where the command's files are: all of them, or those that it wrote.
  const std::filesystem::path& path() const { return path_; }
  bool is_overlay() const { return shared_.has_value(); }
  // What the sandbox is to mount as the root. Several commands may run in it, one after
  // another; before each of them.
  void put_into(SandboxPlan& plan);
  // The file system that the store is on has no overlays: a copy from now on.
  void copy_instead(oci::Activity& activity, std::stop_token stop);

  // The change that the command made, times aside. `mount_points` are those the sandbox
  // made in the root (SandboxOutcome::made): they are nobody's work. Once; the files may
  // be used up.
  Tree changes(const std::vector<std::string>& mount_points, std::int64_t mtime,
               oci::Activity& activity, std::stop_token stop);

 private:
  void overlay(const RootTrees& trees, oci::Activity& activity, std::stop_token stop);
  void copy(oci::Activity& activity, std::stop_token stop);
  void remove(const std::vector<std::string>& mount_points) const;
  Survey look(std::stop_token stop);
  bool belongs_to_others(std::stop_token stop) const;

  const Tree tree_;
  const RootTools tools_;
  const std::filesystem::path directory_;
  std::filesystem::path path_;
  oci::Fd fd_;
  std::optional<HeldRoot> shared_;  // what an overlay lies on
  unsigned mounted_ = 0;            // times
  Survey made_;                     // of a copy
  Owners owners_;  // of what is not 0:0 in the image, when they had to be taken back
  bool taken_ = false;
};

}  // namespace lithify
