// control_group: groups with limits, where this machine has them and in files that look
// so.
#include "builder/sandbox/control_group.h"

#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;
using lithify::ControlGroup;
using lithify::group_for_groups;
using lithify::own_group;

namespace {

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

// The files of a group that has all controllers, as the kernel would make them.
void fill(const fs::path& group) {
  for (const char* file : {"memory.max", "memory.oom.group", "memory.swap.max",
                           "pids.max", "cpu.max", "cgroup.procs", "cgroup.kill"})
    write(group / file, "");
}

}  // namespace

TEST_CASE("groups are made in the nearest group that hands its controllers down") {
  TemporaryDirectory mount;
  const fs::path top = mount.path();
  write(top / "cgroup.procs", "");
  write(top / "cgroup.subtree_control", "cpu memory pids\n");
  write(top / "user/cgroup.procs", "");
  write(top / "user/cgroup.subtree_control", "memory pids\n");
  write(top / "user/app/cgroup.procs", "");
  write(top / "user/app/cgroup.subtree_control", "cpu mymemory\n");
  write(top / "user/app/own/cgroup.subtree_control", "memory pids\n");
  const auto find = [&](const char* own) {
    return group_for_groups({top, own}, {"memory", "pids"});
  };
  CHECK(find("/user/app/own") == top / "user");
  CHECK(find("/user/app") == top / "user");
  CHECK(find("/user") == top / "");
  CHECK(find("/") == std::nullopt);
  CHECK(group_for_groups({top, "/user/app"}, {"io"}) == std::nullopt);
}

TEST_CASE(
    "our group is found wherever its file system is mounted, and however much of it") {
  const auto find = [](const std::string& mounts, const char* cgroup) {
    const auto own = own_group(mounts, cgroup);
    return own ? own->mount.string() + " " + own->path : "none";
  };
  const std::string others =
      "22 1 0:21 / /sys rw - sysfs sysfs rw\n"
      "30 22 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
  const auto mount = [&](const std::string& root, const std::string& at) {
    return others + "31 22 0:27 " + root + " " + at +
           " rw,nosuid shared:9 - cgroup2 x rw\n";
  };
  CHECK(find(mount("/", "/sys/fs/cgroup"), "0::/user/app\n") ==
        "/sys/fs/cgroup /user/app");
  CHECK(find(mount("/", "/sys/fs/cgroup/unified"), "8:pids:/x\n0::/\n") ==
        "/sys/fs/cgroup/unified /");
  // A container without a namespace for groups sees its own as the top.
  CHECK(find(mount("/docker/1", "/sys/fs/cgroup"), "0::/docker/1/sub\n") ==
        "/sys/fs/cgroup /sub");
  CHECK(find(mount("/docker/1", "/sys/fs/cgroup"), "0::/docker/1\n") ==
        "/sys/fs/cgroup /");
  CHECK(find(mount("/docker/1", "/g"), "0::/docker/12\n") == "none");
  CHECK(find(mount("/", "/a\\040b"), "0::/c d\n") == "/a b /c d");
  CHECK(find(mount("/", "/g"), "0::/../else\n") == "none");
  CHECK(find(mount("/", "/g"), "8:pids:/x\n") == "none");
  CHECK(find(others, "0::/\n") == "none");
  CHECK(find("31 22\n - cgroup2 \n", "0::/\n") == "none");
}

TEST_CASE("limits are written as the kernel reads them") {
  TemporaryDirectory parent;
  ControlGroup group(parent.path());
  fill(group.path());
  group.limit({.memory = 64 << 20, .pids = 12}, 3);
  group.take(4711);
  const auto text = [&](const char* file) {
    return oci::read_file(group.path() / file, 100);
  };
  CHECK(text("memory.max") == "67108864");
  CHECK(text("memory.swap.max") == "0");
  CHECK(text("memory.oom.group") == "1");
  CHECK(text("pids.max") == "12");
  CHECK(text("cpu.max") == "300000 100000");
  CHECK(text("cgroup.procs") == "4711");
  CHECK_FALSE(group.ran_out_of_memory());
  write(group.path() / "memory.events", "oom 1\noom_kill 0\noom_group_kill 0\n");
  CHECK_FALSE(group.ran_out_of_memory());
  write(group.path() / "memory.events", "oom 1\noom_kill 2\noom_group_kill 1\n");
  CHECK(group.ran_out_of_memory());
  CHECK_FALSE(group.ran_out_of_processes());
  write(group.path() / "pids.events", "max 0\n");
  CHECK_FALSE(group.ran_out_of_processes());
  write(group.path() / "pids.events", "max 12\n");
  CHECK(group.ran_out_of_processes());
}

TEST_CASE("what is in a group dies with it, and groups of the dead are removed") {
  fs::path mount = "/sys/fs/cgroup";
  if (!fs::exists(mount / "cgroup.controllers")) mount /= "unified";
  if (::access((mount / "cgroup.procs").c_str(), W_OK) != 0) return;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (;;)
      ::pause();
  }
  const pid_t gone = ::fork();
  if (gone == 0) _exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  const fs::path left = mount / ("lithify-" + std::to_string(gone) + "-1");
  std::error_code refused;
  fs::create_directory(left, refused);
  fs::path path;
  if (!refused) {
    ControlGroup group(mount);
    path = group.path();
    CHECK_FALSE(fs::exists(left));
    group.take(child);
    CHECK(oci::read_file(path / "cgroup.procs", 100) == std::to_string(child) + "\n");
  } else {
    ::kill(child, SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WTERMSIG(status) == SIGKILL);
  CHECK_FALSE(fs::exists(path));
}
