// StepRoot: a tree on the disk for one command, and what the command made of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/fd.h"
#include "oci/store/blob_store.h"

#include "builder/run/owners.h"
#include "builder/sandbox/sandbox.h"
#include "builder/tree/survey.h"
#include "builder/tree/tree.h"

namespace lithify {

// What laying out a root needs to know of this machine.
struct RootTools {
  oci::BlobStore& store;
  const SandboxProbe& sandbox;
  std::string program;  // this program's own file, to give files away in a process apart
};

// Lives in a work directory of the step's, which removes it. One thread at a time.
class StepRoot {
 public:
  // Lays `tree` out below `directory`, which is empty: a copy of every file, so that the
  // command may write to all of them, and no two names of one file.
  StepRoot(const Tree& tree, const std::filesystem::path& directory,
           const RootTools& tools, oci::Activity& activity, std::stop_token stop);
  // Whoever made the work directory may remove all of it afterwards.
  ~StepRoot();
  StepRoot(const StepRoot&) = delete;
  StepRoot& operator=(const StepRoot&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // The change that the command made, times aside. `mount_points` are those the sandbox
  // made in the root (SandboxOutcome::made): they are nobody's work. Once; the files may
  // be used up.
  Tree changes(const std::vector<std::string>& mount_points, std::int64_t mtime,
               oci::Activity& activity, std::stop_token stop);

 private:
  void give_away(const std::filesystem::path& directory);
  Owners take_back();
  void remove(const std::vector<std::string>& mount_points) const;
  Survey look(std::stop_token stop);

  const Tree tree_;
  const RootTools tools_;
  const std::filesystem::path path_;
  oci::Fd fd_;
  Survey made_;
  Owners owners_;  // of what is not 0:0 in the image, when they had to be taken back
  bool taken_ = false;
  bool all_ours_ = false;  // nothing needs to be taken back
};

// `tree` as files for a command to look at, 0:0 and as old as in the image.
void lay_out(const Tree& tree, const std::filesystem::path& directory,
             const RootTools& tools, oci::Activity& activity, std::stop_token stop);

}  // namespace lithify
