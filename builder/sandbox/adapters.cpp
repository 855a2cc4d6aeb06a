#include "builder/sandbox/adapters.h"

#include <algorithm>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"

#include "builder/sandbox/call_filter.h"

namespace lithify {

using nlohmann::json;
using oci::Errc;
using oci::Error;

namespace {

constexpr const char* k_capabilities[] = {"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",
                                          "CAP_FSETID", "CAP_SETUID",       "CAP_SETGID"};
constexpr const char* k_masked[] = {
    "/proc/acpi",       "/proc/asound",        "/proc/kcore",
    "/proc/keys",       "/proc/latency_stats", "/proc/scsi",
    "/proc/timer_list", "/proc/timer_stats",   "/proc/sched_debug"};
constexpr const char* k_read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                       "/proc/sysrq-trigger"};

void refuse(const std::string& what, const char* whose) {
  throw Error(Errc::bad_input, std::string(whose) + " cannot " + what)
      .add_hint("use our own sandbox, which needs no --sandbox");
}

// Parents first, each with the source that it has on the host.
struct Placed {
  SandboxMount mount;
  std::string source;
};

std::vector<Placed> placed(const SandboxPlan& plan,
                           const std::vector<std::string>& files) {
  std::vector<Placed> all;
  std::size_t next = 0;
  for (const SandboxMount& mount : plan.mounts) {
    const bool is_file = mount.kind == SandboxMount::Kind::file;
    all.push_back({mount, is_file ? files.at(next++) : mount.source});
  }
  std::stable_sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) {
    return std::count(a.mount.target.begin(), a.mount.target.end(), '/') <
           std::count(b.mount.target.begin(), b.mount.target.end(), '/');
  });
  return all;
}

void add(std::vector<std::string>& words, std::initializer_list<std::string> more) {
  words.insert(words.end(), more);
}

void add_environment(std::vector<std::string>& words, const SandboxPlan& plan) {
  add(words, {"--clearenv"});
  for (const std::string& one : plan.env) {
    const std::size_t equals = std::min(one.find('='), one.size());
    add(words, {"--setenv", one.substr(0, equals),
                one.substr(std::min(equals + 1, one.size()))});
  }
}

json runtime_mount(const Placed& one) {
  const SandboxMount& mount = one.mount;
  if (mount.kind == SandboxMount::Kind::tmpfs) {
    json options = {"nosuid", "nodev"};
    char mode[16];
    std::snprintf(mode, sizeof mode, "mode=%o", mount.mode);
    options.push_back(mode);
    if (mount.size != 0) options.push_back("size=" + std::to_string(mount.size));
    return {{"destination", mount.target},
            {"type", "tmpfs"},
            {"source", "tmpfs"},
            {"options", options}};
  }
  return {{"destination", mount.target},
          {"type", "bind"},
          {"source", one.source},
          {"options", {"bind", mount.read_only ? "ro" : "rw", "nosuid", "nodev"}}};
}

json runtime_mounts(const SandboxPlan& plan, const std::vector<std::string>& files) {
  json devpts = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (plan.owners.gid.count > 1) devpts.push_back("gid=5");
  json mounts = {
      {{"destination", "/proc"},
       {"type", "proc"},
       {"source", "proc"},
       {"options", {"nosuid", "noexec", "nodev"}}},
      {{"destination", "/dev"},
       {"type", "tmpfs"},
       {"source", "tmpfs"},
       {"options", {"nosuid", "strictatime", "mode=755", "size=65536k"}}},
      {{"destination", "/dev/pts"},
       {"type", "devpts"},
       {"source", "devpts"},
       {"options", devpts}},
      {{"destination", "/dev/shm"},
       {"type", "tmpfs"},
       {"source", "shm"},
       {"options", {"nosuid", "noexec", "nodev", "mode=1777"}}},
      {{"destination", "/sys"},
       {"type", "tmpfs"},
       {"source", "tmpfs"},
       {"options", {"nosuid", "noexec", "nodev", "mode=555", "ro"}}},
  };
  for (const Placed& one : placed(plan, files))
    mounts.push_back(runtime_mount(one));
  return mounts;
}

json id_mappings(const IdMap& ids) {
  json mappings = {{{"containerID", 0}, {"hostID", ids.zero}, {"size", 1}}};
  if (ids.count > 1) {
    mappings.push_back(
        {{"containerID", 1}, {"hostID", ids.rest}, {"size", ids.count - 1}});
  }
  return mappings;
}

json limit_of(const char* type, std::uint64_t soft, std::uint64_t hard) {
  return {{"type", type}, {"soft", soft}, {"hard", hard}};
}

// Only the machine's root raises a hard limit.
std::uint64_t most_open_files() {
  struct ::rlimit now = {};
  ::getrlimit(RLIMIT_NOFILE, &now);
  return std::min<std::uint64_t>(524288, now.rlim_max);
}

json runtime_process(const SandboxPlan& plan) {
  json limits = {limit_of("RLIMIT_CORE", 0, 0),
                 limit_of("RLIMIT_NOFILE", 1024, most_open_files())};
  const auto seconds = static_cast<std::uint64_t>(plan.limits.cpu_time.count());
  if (seconds != 0) limits.push_back(limit_of("RLIMIT_CPU", seconds, seconds + 1));
  if (plan.limits.file_size != 0)
    limits.push_back(
        limit_of("RLIMIT_FSIZE", plan.limits.file_size, plan.limits.file_size));
  if (plan.limits.pids != 0)
    limits.push_back(limit_of("RLIMIT_NPROC", plan.limits.pids, plan.limits.pids));
  const json held = k_capabilities;
  return {{"terminal", false},
          {"cwd", plan.cwd},
          {"args", plan.argv},
          {"env", plan.env},
          {"user",
           {{"uid", plan.uid},
            {"gid", plan.gid},
            {"umask", 022},
            {"additionalGids", plan.groups}}},
          {"capabilities",
           {{"bounding", held},
            {"permitted", held},
            {"effective", held},
            {"inheritable", json::array()}}},
          {"rlimits", limits},
          {"noNewPrivileges", true}};
}

json runtime_seccomp() {
  json rules = json::array();
  rules.push_back(
      {{"names", refused_calls()}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", 1}});
  return {{"defaultAction", "SCMP_ACT_ALLOW"}, {"syscalls", rules}};
}

}  // namespace

std::vector<std::string> bwrap_words(const SandboxPlan& plan,
                                     const std::vector<std::string>& files,
                                     int filter_fd) {
  if (plan.overlay) refuse("mount our overlay", "bwrap");
  if (plan.uid != 0 || plan.gid != 0) refuse("run a program as another user", "bwrap");
  std::vector<std::string> words = {"--unshare-user",
                                    "--unshare-pid",
                                    "--unshare-ipc",
                                    "--unshare-uts",
                                    "--unshare-cgroup",
                                    "--die-with-parent",
                                    "--new-session",
                                    "--uid",
                                    "0",
                                    "--gid",
                                    "0",
                                    "--hostname",
                                    plan.hostname};
  if (plan.network == SandboxNetwork::none) add(words, {"--unshare-net"});
  add(words, {"--cap-drop", "ALL"});
  for (const char* capability : k_capabilities)
    add(words, {"--cap-add", capability});
  add(words, {"--bind", plan.root, "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs",
              "/sys", "--remount-ro", "/sys"});
  for (const Placed& one : placed(plan, files)) {
    if (one.mount.kind == SandboxMount::Kind::tmpfs) {
      add(words, {"--tmpfs", one.mount.target});
    } else {
      add(words,
          {one.mount.read_only ? "--ro-bind" : "--bind", one.source, one.mount.target});
    }
  }
  add_environment(words, plan);
  add(words, {"--chdir", plan.cwd, "--seccomp", std::to_string(filter_fd), "--"});
  words.insert(words.end(), plan.argv.begin(), plan.argv.end());
  return words;
}

std::string runtime_config(const SandboxPlan& plan,
                           const std::vector<std::string>& files) {
  if (plan.overlay) refuse("mount our overlay", "an OCI runtime");
  json namespaces = json::array();
  for (const char* type : {"user", "pid", "ipc", "uts", "mount", "cgroup"})
    namespaces.push_back({{"type", type}});
  if (plan.network == SandboxNetwork::none) namespaces.push_back({{"type", "network"}});
  const json config = {{"ociVersion", "1.0.2"},
                       {"hostname", plan.hostname},
                       {"root", {{"path", plan.root}, {"readonly", false}}},
                       {"process", runtime_process(plan)},
                       {"mounts", runtime_mounts(plan, files)},
                       {"linux",
                        {{"namespaces", namespaces},
                         {"uidMappings", id_mappings(plan.owners.uid)},
                         {"gidMappings", id_mappings(plan.owners.gid)},
                         {"maskedPaths", k_masked},
                         {"readonlyPaths", k_read_only},
                         {"seccomp", runtime_seccomp()}}}};
  return oci::canonical_json(config);
}

}  // namespace lithify
