// confine: what the program may not do any more.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "builder/sandbox/launcher/reader.h"

namespace lithify {

// Every limit has a fixed value, so that no program sees the caller's.
void set_limits(const WirePlan& plan);

// The first `cpus` of those that we have.
void set_cpus(std::uint32_t cpus);

// The highest Landlock ABI that the kernel speaks; 0: none.
int landlock_abi();

// Keeps files to those below `root` (-1: files are no matter), and abstract sockets and
// signals to processes of the sandbox where the ABI can. Needs no_new_privs.
void set_landlock(int root);

// Of capabilities, leaves the bits of `keep`, in the bounding set too.
void keep_capabilities(std::uint64_t keep);
std::uint64_t program_capabilities();

// The plan's filter of system calls. Last of all; needs no_new_privs.
void set_seccomp(const PlanReader& plan);

}  // namespace lithify
