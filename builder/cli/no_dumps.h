// no_dumps: what is secret in memory does not come to lie on a disk.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace lithify {

// No core file from now on, and programs that keep cores for the system (core_pattern
// with a pipe) are told not to. For tokens of registries, which builds hold while steps
// run.
void forbid_core_files();

// The same, and more: the kernel takes no image of this process at all, whatever the
// limits say, and no other process of this user may attach to it and read its memory
// (prctl(2), PR_SET_DUMPABLE). For keys and passphrases. Not for the time when steps run:
// /proc/self of such a process belongs to root, and setting up user namespaces needs it.
// The programs that it starts are as others are.
void forbid_dumps();

}  // namespace lithify
