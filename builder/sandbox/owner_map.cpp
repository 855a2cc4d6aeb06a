// owner_map: /proc/PID/uid_map and the two programs of the package uidmap.
#include "builder/sandbox/owner_map.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/sandbox/kernel_text.h"
#include "builder/sandbox/other_owners.h"

extern char** environ;

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::uint32_t k_ids = 65536;
// Above the ids that systemd's documentation of uid ranges gives to containers.
constexpr std::uint32_t k_root_base = 1879113728;
constexpr std::uint64_t k_max_file = 1 << 20;

// Decimal numbers and nothing else between colons or blanks.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Whether one line of a uid_map has all ids from `first` to before `end`.
bool in_one_line(std::string_view map, std::uint64_t first, std::uint64_t end) {
  while (!map.empty()) {
    std::string_view line = next_line(map);
    const auto inside = number(next_word(line, " "));
    next_word(line, " ");
    const auto count = number(next_word(line, " "));
    if (inside && count && *inside <= first && end <= *inside + *count) return true;
  }
  return false;
}

bool mapped_here(const char* map, std::uint32_t first) {
  return has_range(oci::read_file(map, k_max_file), first);
}

std::string user_name() {
  std::array<char, 16384> buffer;
  passwd entry = {};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr)
    return "";
  return entry.pw_name;
}

std::optional<SubordinateRange> range_in(const char* path) {
  if (::access(path, R_OK) != 0) return std::nullopt;
  return find_subordinate(oci::read_file(path, k_max_file), ::geteuid(), user_name());
}

IdMap ids_from(std::uint32_t zero, std::uint32_t rest) {
  return {.zero = zero, .rest = rest, .count = k_ids};
}

void write_proc(pid_t process, const char* name, const std::string& text) {
  const std::string path = "/proc/" + std::to_string(process) + "/" + name;
  const oci::Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid() ||
      ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw oci::write_error(errno, "writing " + path);
}

std::string map_text(const IdMap& ids) {
  std::string text = "0 " + std::to_string(ids.zero) + " 1\n";
  if (ids.count > 1) {
    text += "1 " + std::to_string(ids.rest) + " " + std::to_string(ids.count - 1) + "\n";
  }
  return text;
}

// newuidmap and newgidmap.
void run_map_program(const char* program, pid_t process, const IdMap& ids) {
  std::vector<std::string> words = {program,
                                    std::to_string(process),
                                    "0",
                                    std::to_string(ids.zero),
                                    "1",
                                    "1",
                                    std::to_string(ids.rest),
                                    std::to_string(ids.count - 1)};
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, program, &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT)
    throw Error(Errc::machine, std::string(program) + " is not installed")
        .add_hint("sudo apt-get install uidmap");
  if (error != 0) throw oci::errno_error(error, std::string("starting ") + program);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0)
    throw Error(Errc::machine, std::string(program) + " may not give us the ids from " +
                                   std::to_string(ids.rest));
}

}  // namespace

bool has_range(std::string_view map, std::uint32_t first) {
  const std::uint64_t begin = first;
  return in_one_line(map, begin, begin + 1) && in_one_line(map, begin + 1, begin + k_ids);
}

std::optional<std::uint32_t> IdMap::on_disk(std::uint32_t id) const {
  if (id >= count) return std::nullopt;
  return id == 0 ? zero : rest + (id - 1);
}

std::optional<std::uint32_t> IdMap::in_sandbox(std::uint32_t id) const {
  if (id == zero) return 0;
  if (id < rest || id - rest >= count - 1) return std::nullopt;
  return id - rest + 1;
}

std::optional<SubordinateRange> find_subordinate(std::string_view file, uid_t user,
                                                 std::string_view name) {
  while (!file.empty()) {
    std::string_view line = next_line(file);
    const std::string_view who = next_word(line, ":");
    const auto start = number(next_word(line, ":"));
    const auto count = number(next_word(line, ":"));
    if (!start || !count || *count < k_ids - 1 || *start == 0) continue;
    if (*start > UINT32_MAX - k_ids || *count > UINT32_MAX - *start) continue;
    if ((!name.empty() && who == name) || number(who) == user)
      return SubordinateRange{static_cast<std::uint32_t>(*start),
                              static_cast<std::uint32_t>(*count)};
  }
  return std::nullopt;
}

std::optional<OwnerMap> root_owners(bool apart) {
  for (const std::uint32_t base : {apart ? k_root_base : 0, std::uint32_t{0}}) {
    if (!mapped_here("/proc/self/uid_map", base)) continue;
    if (!mapped_here("/proc/self/gid_map", base)) continue;
    return OwnerMap{ids_from(base, base + 1), ids_from(base, base + 1)};
  }
  return std::nullopt;
}

std::optional<OwnerMap> range_owners() {
  const auto users = range_in("/etc/subuid");
  const auto groups = range_in("/etc/subgid");
  if (!users || !groups) return std::nullopt;
  return OwnerMap{ids_from(::geteuid(), users->start),
                  ids_from(::getegid(), groups->start)};
}

// A range of root's can lie elsewhere; that of a user begins one id later, and so has one
// less.
std::optional<OwnerMap> other_owners(const SandboxProbe& probe) {
  OwnerMap other = probe.owners;
  if (probe.level == SandboxLevel::id_range) {
    for (IdMap* ids : {&other.uid, &other.gid}) {
      ++ids->rest;
      --ids->count;
    }
    return other;
  }
  if (probe.level != SandboxLevel::root || other.uid.zero != k_root_base)
    return std::nullopt;
  constexpr std::uint32_t k_base = k_root_base + k_ids;
  if (!mapped_here("/proc/self/uid_map", k_base)) return std::nullopt;
  if (!mapped_here("/proc/self/gid_map", k_base)) return std::nullopt;
  return OwnerMap{ids_from(k_base, k_base + 1), ids_from(k_base, k_base + 1)};
}

OwnerMap single_owner() {
  return {.uid = {.zero = ::geteuid(), .rest = 1, .count = 1},
          .gid = {.zero = ::getegid(), .rest = 1, .count = 1}};
}

OwnerMap same_owners() {
  const IdMap all = {.zero = 0, .rest = 1, .count = UINT32_MAX};
  return {all, all};
}

void give_ids(pid_t process, const OwnerMap& owners) {
  if (owners.uid.count == 1) {
    // The kernel's condition for giving one's own group without privilege.
    if (::geteuid() != 0) write_proc(process, "setgroups", "deny");
  } else if (::geteuid() != 0) {
    run_map_program("newuidmap", process, owners.uid);
    run_map_program("newgidmap", process, owners.gid);
    return;
  }
  write_proc(process, "gid_map", map_text(owners.gid));
  write_proc(process, "uid_map", map_text(owners.uid));
}

}  // namespace lithify
