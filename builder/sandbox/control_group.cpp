#include "builder/sandbox/control_group.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/sandbox/idle_process.h"
#include "builder/sandbox/kernel_text.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_prefix = "lithify-";
constexpr std::uint64_t k_max_file = 1 << 16;
constexpr std::uint64_t k_max_mounts = 4 << 20;
constexpr unsigned k_period = 100'000;  // microseconds

// Empty if it is not there: files of a group come and go with its controllers.
std::string text_of(const fs::path& file, std::uint64_t limit = k_max_file) {
  try {
    return oci::read_file(file, limit);
  } catch (const Error&) {
    return "";
  }
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = 0; (at = text.find(word, at)) != text.npos; at += word.size()) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || text[at - 1] == ' ' || text[at - 1] == '\n';
    const bool ends = end == text.size() || text[end] == ' ' || text[end] == '\n';
    if (begins && ends) return true;
  }
  return false;
}

// A line of an events file counts it, and not to zero.
bool has_happened(std::string_view events, std::string_view name) {
  const std::size_t at = events.find(name);
  return at != events.npos && at + name.size() < events.size() &&
         events[at + name.size()] != '0';
}

// proc(5): blanks and their like are three octal digits behind a backslash.
std::string unescaped(std::string_view word) {
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    unsigned value = 0;
    const char* const digits = word.data() + i + 1;
    if (word[i] == '\\' && i + 3 < word.size() &&
        std::from_chars(digits, digits + 3, value, 8).ptr == digits + 3) {
      text += static_cast<char>(value);
      i += 3;
    } else {
      text += word[i];
    }
  }
  return text;
}

// Of a line of mountinfo: what of the file system is mounted where, if it is cgroup2.
std::optional<OwnGroup> cgroup_mount(std::string_view line) {
  const std::size_t type = line.find(" - cgroup2 ");
  if (type == line.npos) return std::nullopt;
  for (int i = 0; i < 3; ++i)
    next_word(line, " ");
  const std::string root = unescaped(next_word(line, " "));
  const std::string mount = unescaped(next_word(line, " "));
  if (!root.starts_with('/') || !mount.starts_with('/')) return std::nullopt;
  return OwnGroup{mount, root};
}

// Groups whose makers are gone. One that has processes cannot be removed.
void remove_dead_groups(const fs::path& parent) {
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(parent, problem)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(k_prefix)) continue;
    pid_t maker = 0;
    const char* begin = name.data() + k_prefix.size();
    const auto [end, bad] = std::from_chars(begin, name.data() + name.size(), maker);
    if (bad != std::errc() || maker <= 0 || ::kill(maker, 0) == 0 || errno != ESRCH)
      continue;
    ::rmdir(entry.path().c_str());
  }
}

}  // namespace

ControlGroup::ControlGroup(const fs::path& parent) {
  static std::atomic<unsigned> last = 0;
  remove_dead_groups(parent);
  path_ = parent / (std::string(k_prefix) + std::to_string(::getpid()) + '-' +
                    std::to_string(++last));
  if (::mkdir(path_.c_str(), 0755) != 0)
    throw oci::write_error(errno, "making the control group " + path_.string());
}

ControlGroup::~ControlGroup() {
  kill();
  // The kernel takes the dead out of it by and by.
  for (int tries = 0; ::rmdir(path_.c_str()) != 0 && errno == EBUSY && tries < 1000;
       ++tries) {
    const timespec moment = {0, 1'000'000};
    ::nanosleep(&moment, nullptr);
  }
}

void ControlGroup::write(const char* file, std::string_view text) const {
  const fs::path path = path_ / file;
  const oci::Fd fd = oci::open_file(path, O_WRONLY);
  oci::write_all(fd.get(), oci::as_bytes(text), path.string());
}

void ControlGroup::limit(const SandboxLimits& limits, unsigned cpus) {
  if (limits.memory != 0) {
    write("memory.max", std::to_string(limits.memory));
    write("memory.oom.group", "1");
    // Machines without swap have no such file.
    if (::access((path_ / "memory.swap.max").c_str(), F_OK) == 0)
      write("memory.swap.max", "0");
  }
  if (limits.pids != 0) write("pids.max", std::to_string(limits.pids));
  if (cpus != 0 && ::access((path_ / "cpu.max").c_str(), F_OK) == 0) {
    write("cpu.max", std::to_string(std::uint64_t{cpus} * k_period) + ' ' +
                         std::to_string(k_period));
  }
}

void ControlGroup::take(pid_t process) {
  write("cgroup.procs", std::to_string(process));
}

bool ControlGroup::ran_out_of_memory() const {
  return has_happened(text_of(path_ / "memory.events"), "oom_kill ");
}

bool ControlGroup::ran_out_of_processes() const {
  return has_happened(text_of(path_ / "pids.events"), "max ");
}

void ControlGroup::kill() noexcept {
  try {
    write("cgroup.kill", "1");
  } catch (const Error&) {
    // Kernels before 5.14 have none; the sandbox kills its own processes anyway.
  }
}

std::optional<OwnGroup> own_group(std::string_view mountinfo, std::string_view cgroup) {
  std::optional<std::string_view> own;
  while (!cgroup.empty()) {
    const std::string_view line = next_line(cgroup);
    if (line.starts_with("0::/")) own = line.substr(3);
  }
  if (!own || (std::string(*own) + "/").find("/../") != std::string::npos)
    return std::nullopt;
  while (!mountinfo.empty()) {
    const auto found = cgroup_mount(next_line(mountinfo));
    if (!found) continue;
    std::string_view root = found->path;
    if (root == "/") root = "";
    if (!own->starts_with(root)) continue;
    const std::string_view rest = own->substr(root.size());
    if (rest.empty() || rest.front() == '/')
      return OwnGroup{found->mount, rest.empty() ? "/" : std::string(rest)};
  }
  return std::nullopt;
}

std::optional<fs::path> group_for_groups(const OwnGroup& group,
                                         const std::vector<std::string>& controllers) {
  std::string_view own = group.path;
  while (own.size() > 1) {
    own = own.substr(0, own.rfind('/'));
    const fs::path above = group.mount / own.substr(own.empty() ? 0 : 1);
    const std::string offered = text_of(above / "cgroup.subtree_control");
    bool enough = ::access((above / "cgroup.procs").c_str(), W_OK) == 0 &&
                  ::access(above.c_str(), W_OK) == 0;
    for (const std::string& controller : controllers)
      enough = enough && has_word(offered, controller);
    if (enough) return above;
  }
  return std::nullopt;
}

namespace {

std::optional<fs::path> try_groups() {
  const auto own = own_group(text_of("/proc/self/mountinfo", k_max_mounts),
                             text_of("/proc/self/cgroup"));
  if (!own) return std::nullopt;
  const auto parent = group_for_groups(*own, {"memory", "pids"});
  if (!parent) return std::nullopt;
  const IdleProcess member;
  if (member.id() < 0) return std::nullopt;
  try {
    ControlGroup group(*parent);
    group.limit({.memory = 1 << 30, .pids = 100}, 0);
    group.take(member.id());
    return parent;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

const std::optional<fs::path>& place_for_groups() {
  static const std::optional<fs::path> place = [] {
    try {
      return try_groups();
    } catch (const std::exception&) {
      return std::optional<fs::path>();
    }
  }();
  return place;
}

}  // namespace lithify
