// wire: the one structure that the launcher reads, and the messages that it sends back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace lithify {

// Host and launcher are one build, so the layout is the compiler's; the version only
// catches a launcher left over from another build.
inline constexpr std::uint64_t k_wire_magic = 0x3130786f62646e73;  // "sndbox01"
inline constexpr std::uint32_t k_wire_version = 1;
inline constexpr std::size_t k_max_wire = 64u << 20;  // secrets are inside
inline constexpr std::uint32_t k_max_wire_items = 65536;

// Descriptors that the launcher starts with, beside 0 (nothing), 1 and 2 (the output).
inline constexpr int k_plan_fd = 3;
inline constexpr int k_control_fd = 4;

// A text in the plan: bytes at an offset, with a zero byte behind them.
struct WireText {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
};

// A run of items in the plan: WireTexts, WireMounts or 32-bit numbers.
struct WireList {
  std::uint32_t offset = 0;
  std::uint32_t count = 0;
};

enum WireMountKind : std::uint32_t {
  k_wire_bind = 1,
  k_wire_tmpfs = 2,
  k_wire_file = 3,
};

struct WireMount {
  std::uint32_t kind = 0;
  std::uint32_t read_only = 0;
  WireText source;
  WireText target;
  WireText content;
  std::uint64_t device = 0;  // of the source when the host looked at it
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t is_directory = 0;
};

enum WireFlag : std::uint32_t {
  k_wire_user_namespace = 1u << 0,  // else the level is chroot
  k_wire_id_range = 1u << 1,        // more than one id is mapped
  k_wire_trees_first = 1u << 2,     // paths are read before entering the user namespace
  k_wire_host_network = 1u << 3,
  k_wire_fixed_addresses = 1u << 4,
  k_wire_terminal = 1u << 5,
  k_wire_probe = 1u << 6,       // try everything, run nothing
  k_wire_enter_only = 1u << 7,  // a user namespace and nothing else
  k_wire_traced = 1u << 8,      // the program stops for the host to trace it
};

struct WirePlan {
  std::uint64_t magic = k_wire_magic;
  std::uint32_t version = k_wire_version;
  std::uint32_t size = 0;  // of all of it
  std::uint32_t flags = 0;
  std::int32_t parent = 0;  // the host's process id
  WireText root;
  std::uint64_t root_device = 0;
  std::uint64_t root_inode = 0;
  WireText upper;
  WireText work;
  WireText cwd;
  WireText hostname;
  WireList lower;   // WireText, topmost first; empty: no overlay
  WireList argv;    // WireText
  WireList env;     // WireText
  WireList groups;  // std::uint32_t
  WireList mounts;  // WireMount, parents first
  WireList filter;  // struct sock_filter, for seccomp(2)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t memory = 0;  // bytes; 0: as much as there is. So are the others.
  std::uint64_t pids = 0;
  std::uint64_t cpu_seconds = 0;
  std::uint64_t file_size = 0;
  std::uint32_t cpus = 0;
  std::uint32_t skipped = 0;  // process ids
};

enum WireMessageKind : std::uint32_t {
  k_wire_wants_ids = 1,  // waits for one byte
  k_wire_failed = 2,     // text: what it was doing
  k_wire_made = 3,       // text: a mount point that was not there, relative to the root
  k_wire_missing = 4,    // text: what this machine does not offer, the run goes on
  k_wire_started = 5,    // the program runs
  k_wire_exited = 6,     // value: as waitpid gives it
  k_wire_out_of_memory = 7,
  k_wire_offers = 8,  // a probe: text names what worked
  k_wire_held = 9,    // from the program's process, which stops now
};

struct WireMessage {
  std::uint32_t kind = 0;
  std::int32_t error = 0;  // errno
  std::int32_t value = 0;
  std::uint32_t length = 0;
  char text[496] = {};
};

}  // namespace lithify
