// kernel: descriptors, and the calls that Debian 12's C library has no functions for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lithify {

// Closes what it holds, if that is one, and leaves errno as it was.
class Handle {
 public:
  explicit Handle(int fd) : fd_(fd) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    const int error = errno;
    if (fd_ >= 0) ::close(fd_);
    errno = error;
  }
  operator int() const { return fd_; }

 private:
  const int fd_;
};

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

}  // namespace lithify
