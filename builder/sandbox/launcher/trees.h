// trees: detached mounts, and places in the root to put them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <fcntl.h>

#include "builder/sandbox/launcher/reader.h"

namespace lithify {

// The descriptors of detached mounts that had to be made with the host's rights, or -1.
struct Trees {
  int root = -1;
  int* binds = nullptr;  // one for each of the plan's mounts
};

// One option of a new file system; a null name ends a list, a null value is a flag.
struct MountOption {
  const char* name = nullptr;
  const char* value = nullptr;
};

// A detached mount of the file system's type, or -1 with errno.
int new_mount(const char* type, const MountOption* options, std::uint64_t attributes);

// A detached overlay as the root of a user namespace may have one, or -1 with errno.
int new_overlay(const char* lower, const char* upper, const char* work);

// A detached copy of what lies at the host's path, of that alone. Fails if the file there
// is another one than the host saw (device 0: any), or a symlink.
int copy_mount(const char* path, std::uint64_t device, std::uint64_t inode);

// Nothing that is mounted from here on is seen elsewhere.
void make_mounts_private();

// The root's tree and those of all binds.
void copy_trees(const PlanReader& plan, Trees& trees);

// Sets attributes (MOUNT_ATTR_…) on one mount, with AT_RECURSIVE on all that is on it
// too; fails with `what` in the message.
void restrict_mount(int tree, std::uint64_t attributes, const char* what,
                    int how_far = 0);

// The root for place() when this process is in it, at its top.
inline constexpr int k_here = AT_FDCWD;

// Opens `path` of the root, as a program in the root would find it, and makes it if it is
// not there, parents too; the host is told what was made. O_PATH.
int place(int root, const char* path, bool directory);

// Puts a detached mount onto an open place.
void attach(int tree, int onto, const char* what);

}  // namespace lithify
