// materialise: a tree as files on disk.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"

#include "builder/tree/tree.h"

namespace lithify {

struct MaterialiseOptions {
  const oci::BlobStore& store;
  bool privileged = false;  // owners are set and devices made; the caller is root
  std::stop_token stop = {};
  // Names of one file are one file on the disk. Without, writing to one name leaves the
  // others as they are, on any file system: an overlay tears them apart anyway.
  bool hard_links = true;
  // The tree may be a change: whiteouts and opaque marks are made as a layer of an
  // overlay has them, for mounts with `userxattr`. What the tree itself has by the names
  // of such marks is left out.
  bool overlay_marks = false;
  unsigned threads = 1;  // that write files, if there are no hard links
  // User and group on the disk of what has these in the tree, for who is privileged.
  // Empty: the same.
  std::function<std::uint32_t(std::uint32_t)> uid = {};
  std::function<std::uint32_t(std::uint32_t)> gid = {};
};

// What this user or file system could not be given, in order of paths: "dev/null: a
// device", "bin/ping: security.capability".
using Unmade = std::vector<std::string>;

// Fills `directory`, which is made if it is missing and else must be empty
// (Errc::bad_input). Modes and times are the tree's whatever the umask. Nothing is ever
// written through a symlink. Fails with the files made so far left in place.
Unmade materialise(const Tree& tree, const std::filesystem::path& directory,
                   const MaterialiseOptions& options, oci::Activity& activity);

}  // namespace lithify
