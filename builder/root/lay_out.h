// lay_out: a tree as files for commands, whose owners are those of the sandbox.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/store/blob_directory.h"

#include "builder/root/owners.h"
#include "builder/sandbox/sandbox.h"
#include "builder/tree/tree.h"

namespace lithify {

class SharedRoots;

// What laying out a root needs to know of this machine.
struct RootTools {
  oci::BlobStore& store;
  const SandboxProbe& sandbox;
  std::string program;            // this program's own file, to give files away
  SharedRoots* shared = nullptr;  // nullptr: every step has copies of its own
  // Where the store has its files, whose check a root then does not wait for; nullptr if
  // it has none.
  const oci::BlobDirectory* blobs = nullptr;
};

// `tree` as files below `directory`, which is empty or missing, with the times they have
// in the image and no two names of one file. A change, with its whiteouts and opaque
// marks, becomes a layer of an overlay. Owners are those of the sandbox, where we may
// give files away; where only its own root may (owners_need_entering), all are 0:0. What
// is there after an error counts for nothing: its contents may come from blobs that lie.
void lay_out(const Tree& tree, const std::filesystem::path& directory,
             const RootTools& tools, oci::Activity& activity, std::stop_token stop);

// An empty directory as the top of a root whose declared attributes `tree` has. Owner,
// mode and time as lay_out() gives them.
void lay_out_top(const Tree& tree, const std::filesystem::path& directory,
                 const RootTools& tools);

// Gives what lay_out() left 0:0 its owners, if owners_need_entering.
void give_away(const Tree& tree, const std::filesystem::path& root,
               const RootTools& tools);

// Everything below `root` becomes our own, so that we may read and remove it. Returns
// whose it was. For sandboxes with owners_need_entering.
Owners take_back(const std::filesystem::path& root, const SandboxProbe& sandbox,
                 const std::string& program);

// Removes what was laid out or what a command made, whoever it belongs to. False if
// something is left.
bool remove_laid_out(const std::filesystem::path& directory, const SandboxProbe& sandbox,
                     const std::string& program) noexcept;

}  // namespace lithify
