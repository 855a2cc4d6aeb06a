// root_stamp: whether a directory is still what it was, by lstat alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <string>

#include "oci/base/fd.h"

namespace lithify {

// A hash over names, inodes, modes, owners, sizes and times of change of all below
// `root`. Who changes a file changes it, unless he sets the clock of the machine or
// writes to the disk below its file system. Directories that we may not read are taken as
// they are: only root and the owner of a subordinate id could have changed something in
// them.
std::string root_stamp(const oci::Fd& root, std::stop_token stop);

}  // namespace lithify
