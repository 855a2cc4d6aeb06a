// debian_install: .deb files to the tree of an installed system, without dpkg, without
// root and without running what strangers wrote. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>

#include "oci/base/activity.h"
#include "oci/store/blob_store.h"

#include "builder/plan/file_action.h"
#include "builder/tree/tree.h"

namespace lithify {

// What both actions need besides their inputs. All references outlive the call.
struct DebianContext {
  oci::BlobStore& store;
  oci::Activity& activity;  // gets warnings
  std::int64_t mtime = 0;   // of everything that no package dates
  std::int64_t clamp = 0;   // the latest time a packaged file may have
  std::stop_token stop = {};
};

// `input` is a tree with one file, a .deb. Its files come out below "data", its control
// members below "control", with modes, owners and times as packaged; all contents are
// slices of one new blob in the store. Names of one file share a file_id. Extended
// attributes are dropped, as dpkg does.
Tree unpack_deb(const UnpackDebAction& action, const Tree& input,
                const DebianContext& context);

// `packages` are results of unpack_deb in the order of action.packages. The result is the
// change that turns `below` (the whole tree so far) into a system with these packages
// installed. It does not depend on the order of the packages.
//
// Merged /usr: wherever a package puts something in /bin, /sbin or /lib* and `below` has
// no real directory of that name, the name is a symlink into /usr and files go there.
// A path that several packages ship is taken from the one that Replaces the others; one
// that diverts it in a script wins; equal files are no conflict; otherwise the last
// package by name wins and a warning says so. Directories have the constant mtime (they
// are shared), and the attributes of base-files, else the first by name that are not
// root's 0755; directories that `below` has keep theirs.
Tree install_debian(const InstallDebianAction& action, std::span<const Tree> packages,
                    const Tree& below, const DebianContext& context);

}  // namespace lithify
