// kernel: the calls that Debian 12's C library has no functions for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lithify {

inline int open_in(int directory, const char* path, std::uint64_t flags,
                   std::uint64_t resolve) {
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
}

struct LandlockRules {  // struct landlock_ruleset_attr, ABI 6
  std::uint64_t file_system;
  std::uint64_t network;
  std::uint64_t scoped;
};

struct [[gnu::packed]] LandlockBeneath {  // struct landlock_path_beneath_attr
  std::uint64_t allowed;
  std::int32_t parent_fd;
};

}  // namespace lithify
