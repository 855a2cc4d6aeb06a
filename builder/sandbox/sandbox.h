// Sandbox: a program runs and sees its declared inputs and nothing else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace oci {
class Error;
}

namespace lithify {

// What this machine lets us do, from nothing to everything. What a program makes is the
// same at each of them, or it fails.
enum class SandboxLevel {
  none,       // L0: no program runs
  chroot,     // L1: root in a container that may not make namespaces
  single_id,  // L2: a user namespace in which there is only 0:0
  id_range,   // L3: a user namespace with ids 0 to 65535
  root,       // L4: the same, made by the machine's root
};
// "L0" to "L4".
std::string_view level_name(SandboxLevel level);
std::optional<SandboxLevel> parse_level(std::string_view name);

// Which ids on the disk the ids in the sandbox are.
struct IdMap {
  std::uint32_t zero = 0;   // what 0 is
  std::uint32_t rest = 1;   // what 1 is; further ids follow
  std::uint32_t count = 1;  // how many there are, 0 included

  std::optional<std::uint32_t> on_disk(std::uint32_t id) const;
  std::optional<std::uint32_t> in_sandbox(std::uint32_t id) const;
  bool operator==(const IdMap&) const = default;
};

// Whoever lays out the root gives files the owner on_disk(id), and translates back what
// the program made with in_sandbox(id).
struct OwnerMap {
  IdMap uid;
  IdMap gid;
  bool operator==(const OwnerMap&) const = default;
};

// Something better that this machine could offer, and what to type for it.
struct SandboxRemedy {
  std::string missing;  // "more than one user id"
  std::string cure;     // "sudo apt-get install uidmap"
};

struct SandboxProbe {
  SandboxLevel level = SandboxLevel::none;
  OwnerMap owners;
  // True: only a process inside the map may give files away, read what belongs to others
  // and remove it. Lay out, capture and remove the root with run_as_owner().
  bool owners_need_entering = false;
  bool fresh_proc = false;  // else the outer /proc shows through, masked
  bool overlay = false;     // SandboxPlan::overlay may be used
  bool mounts = false;      // SandboxPlan::mounts of every kind; at L1 files only
  bool limits_all = false;  // cgroup v2: limits hold for all processes together
  bool scoped = false;      // Landlock keeps abstract sockets and signals apart
  bool own_name = false;    // the kernel can be given a host name: SandboxPlan::own_name
  std::vector<SandboxRemedy> remedies;  // best level first
};

// Tries what there is, at most `at_most`, by doing it once in a child; later calls get
// the first answer. Throws only if no process can be started at all. Any thread.
const SandboxProbe& probe_sandbox(SandboxLevel at_most = SandboxLevel::root);

struct SandboxMount {
  enum class Kind {
    bind,   // `source`, a directory or file of the host; its mounts do not come along
    tmpfs,  // an empty directory that is gone afterwards
    file,   // `content`: a secret, a fixed /etc/resolv.conf; never on the disk above L1
  };
  Kind kind = Kind::bind;
  std::string source = {};
  std::string content = {};
  std::string target =
      {};  // absolute in the root; its symlinks are followed inside the root
  bool read_only = true;
  std::uint32_t mode = 0755;  // of tmpfs and file
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  // of a tmpfs, bytes; 0: half of the memory
};

struct SandboxOverlay {
  std::vector<std::string> lower;  // topmost first, at most 60
  std::string upper;               // these two are empty directories of one file system
  std::string work;
};

// Zero: no limit of ours.
struct SandboxLimits {
  std::uint64_t memory = 0;  // bytes, of all processes together
  std::uint64_t pids = 0;
  std::chrono::seconds cpu_time{0};  // of each process
  std::chrono::milliseconds wall_time{0};
  std::uint64_t file_size = 0;  // bytes
};

enum class SandboxNetwork { none, host };

// What a program is told when it asks for the time of day. Every program, static ones
// too: the calls are answered by whoever runs the sandbox (tracer.h). Clocks that count
// from the start of something go on as they are, and so do the times that the kernel
// gives to files.
struct SandboxClock {
  std::int64_t seconds = 0;  // since 1970: the time stands still there
  bool runs = false;         // else: it is the real time, `seconds` later
};

// Everything that a program gets to see. The root is prepared by the caller with the
// owners of `owners`, and nobody else changes it meanwhile; what is left of it afterwards
// is the caller's too. /dev, /proc and /sys are the sandbox's own.
struct SandboxPlan {
  SandboxLevel level = SandboxLevel::none;  // as probe_sandbox says
  OwnerMap owners;
  std::string root;                       // a directory of the host, unless:
  std::optional<SandboxOverlay> overlay;  // the root is these
  std::vector<SandboxMount> mounts;       // in any order
  std::vector<std::string> argv;          // argv[0] is looked for in env's PATH
  std::vector<std::string> env;           // "NAME=value"; nothing else is passed on
  std::string cwd = "/";
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::string hostname = "lithify";
  // As probe_sandbox says. Else programs are told the name where they can be traced
  // (tracer.h): podman's filter refuses sethostname(2), at L1 nothing keeps names apart.
  bool own_name = true;
  SandboxLimits limits;
  SandboxNetwork network = SandboxNetwork::none;
  unsigned cpus = 0;  // how many it may see and use; 0: all
  bool fixed_addresses = true;
  std::optional<SandboxClock> clock;  // nullopt: the real time
  // For telling what a program makes of chance:
  bool reversed_directories = false;  // the other way round, as far as one reading goes
  unsigned skipped_processes = 0;     // ids that nobody gets; at L1 none is skipped
  // A person sits in front of it: the three standard streams are ours, nothing is
  // captured.
  bool terminal = false;
};

struct SandboxOutcome {
  int exit_status = 0;  // of the program
  int signal = 0;       // that ended it, or 0
  bool timed_out = false;
  bool out_of_memory = false;
  bool out_of_processes = false;  // as far as a group of the kernel's counts them
  std::chrono::microseconds user_time{0};
  std::chrono::microseconds system_time{0};
  std::uint64_t peak_memory = 0;  // bytes, of the largest process
  // Mount points that the root did not have: directories and empty files, relative to
  // the root, parents first. They are no work of the program's; the caller drops them.
  std::vector<std::string> made;
  // What is weaker here than it should be, one phrase each: "/proc is the outer one".
  std::vector<std::string> weaker;
};

// What the program writes, as it comes.
using SandboxOutput = std::function<void(std::string_view)>;

// Standard output and error apart: each in the order of writing, the two in the order in
// which they were read. Either may be empty: what comes there is dropped.
struct SandboxStreams {
  SandboxOutput out;
  SandboxOutput err;
};

// Runs the program, whose standard output and error come in the order of writing, and
// waits until it and all that it started are gone. An exit status is
// an outcome; that the sandbox could not be made, or argv[0] not be started, is an Error:
// machine with the operation, errno and remedy, or bad_input for what the plan names.
// A stop kills everything and throws Cancelled. If this process dies, so does the
// program, with its mounts. `output` is called on this thread; it may throw, which is a
// stop. Any thread, several at once.
SandboxOutcome run_sandbox(const SandboxPlan& plan, const SandboxOutput& output,
                           std::stop_token stop);
// The same with the two streams apart.
SandboxOutcome run_sandbox(const SandboxPlan& plan, const SandboxStreams& streams,
                           std::stop_token stop);

// Whether run_sandbox() threw this because SandboxPlan::overlay cannot lie where it does,
// on a file system that offers too little for it: a plain root can. Nothing was run.
bool is_no_overlay(const oci::Error& error);

// Runs a program of the host's, by its path, with our streams, as 0:0 of the map and
// nothing else changed: for laying out, capturing and removing roots when
// `owners_need_entering`. Returns its exit status; 128 + number for a signal. What it
// starts is its own business. Errors as above.
int run_as_owner(const OwnerMap& owners, const std::vector<std::string>& argv,
                 const std::vector<std::string>& env, std::stop_token stop);

}  // namespace lithify
