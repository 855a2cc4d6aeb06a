// ControlGroup: limits that hold for all processes of a step together (cgroup v2).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// A group of its own. Whatever is in it is killed and the group removed when this is
// dropped; what a killed process of ours left is removed by the next one. One thread at a
// time.
class ControlGroup {
 public:
  // Below `parent`. Errc::machine if it cannot be made.
  explicit ControlGroup(const std::filesystem::path& parent);
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Memory without swap, whose end ends all that is in the group; processes; and as much
  // time as so many processors have (0: all).
  void limit(const SandboxLimits& limits, unsigned cpus);
  // With all that it starts from now on.
  void take(pid_t process);
  // Whether the kernel killed something in it for want of memory.
  bool ran_out_of_memory() const;
  // Whether something in it could not be started, because there were so many already.
  bool ran_out_of_processes() const;
  void kill() noexcept;

 private:
  void write(const char* file, std::string_view text) const;

  std::filesystem::path path_;
};

// Which group of version 2 a process is in: where its file system is mounted, and the
// group's path below that, "/" or "/user.slice/…".
struct OwnGroup {
  std::filesystem::path mount;
  std::string path;
};
// From the texts of /proc/self/mountinfo and /proc/self/cgroup. A container may show a
// part of the file system alone. nullopt: none is mounted from where it could be seen.
std::optional<OwnGroup> own_group(std::string_view mountinfo, std::string_view cgroup);

// Of the groups above and beside ours, the nearest in which we may make one with these
// controllers. nullopt: there is none. A group that has processes can have none with
// controllers below it, so our own is no place for one.
std::optional<std::filesystem::path> group_for_groups(
    const OwnGroup& own, const std::vector<std::string>& controllers);

// The same on this machine for memory and processes, found by doing it with a process
// once. Any thread.
const std::optional<std::filesystem::path>& place_for_groups();

}  // namespace lithify
