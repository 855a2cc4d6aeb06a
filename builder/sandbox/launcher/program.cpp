// program: from here on only what the plan says is left of the host.
#include "builder/sandbox/launcher/program.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "builder/sandbox/launcher/confine.h"
#include "builder/sandbox/launcher/kernel.h"
#include "builder/sandbox/launcher/tell.h"

namespace lithify {

namespace {

constexpr int k_watch_milliseconds = 50;
constexpr const char* k_no_memory_limit = "memory is not limited";
constexpr int k_busy_tries = 100;

// The host laid the file out just now, and a process that it is starting elsewhere may
// for a moment hold what was open then.
void execute_file(const char* file, const Words& words) {
  for (int i = 0; i < k_busy_tries; ++i) {
    ::execve(file, words.argv, words.env);
    if (errno != ETXTBSY) return;
    ::usleep(5000);
    errno = ETXTBSY;
  }
}

// As execvp does, but with the PATH that the program gets.
void execute(const Words& words) {
  const char* program = words.argv[0];
  if (std::strchr(program, '/') != nullptr) return execute_file(program, words);
  const char* path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (char* const* env = words.env; *env != nullptr; ++env) {
    if (std::strncmp(*env, "PATH=", 5) == 0) path = *env + 5;
  }
  int error = ENOENT;
  while (true) {
    const int length = static_cast<int>(std::strcspn(path, ":"));
    char file[PATH_MAX];
    const int wanted = std::snprintf(file, sizeof file, "%.*s/%s", length, path, program);
    if (wanted > 0 && wanted < static_cast<int>(sizeof file)) {
      execute_file(file, words);
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
    }
    if (path[length] == 0) break;
    path += length + 1;
  }
  errno = error;
}

void become_user(const PlanReader& plan) {
  const WirePlan& wire = plan.plan();
  const bool may_set_groups =
      plan.has(k_wire_id_range) || !plan.has(k_wire_user_namespace);
  if (may_set_groups)
    must(::setgroups(wire.groups.count, plan.groups()), "setting supplementary groups");
  must(::setresgid(wire.gid, wire.gid, wire.gid), "becoming the group of the program");
  must(::setresuid(wire.uid, wire.uid, wire.uid), "becoming the user of the program");
}

}  // namespace

Words::Words(const PlanReader& plan) {
  const WirePlan& wire = plan.plan();
  const auto** words = static_cast<const char**>(
      std::calloc(wire.argv.count + wire.env.count + 2, sizeof(char*)));
  if (words == nullptr) fail("reading the words of the program");
  plan.pointers(wire.argv, words);
  plan.pointers(wire.env, words + wire.argv.count + 1);
  argv = const_cast<char* const*>(words);
  env = argv + wire.argv.count + 1;
}

[[noreturn]] void run_program(const PlanReader& plan, int landlock_root) {
  const WirePlan& wire = plan.plan();
  if (plan.has(k_wire_traced)) {
    ::prctl(PR_SET_DUMPABLE, 1);  // changing ids cleared it
    tell(k_wire_held);
    ::raise(SIGSTOP);
  }
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  set_limits(wire);
  set_cpus(wire.cpus);
  // Docker's filter knows the other personalities only.
  if (plan.has(k_wire_fixed_addresses) && ::personality(ADDR_NO_RANDOMIZE) < 0)
    tell(k_wire_missing, "addresses in memory are random");
  keep_capabilities(program_capabilities());
  become_user(plan);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // changing the user cleared it
  ::umask(022);
  must(::chdir(plan.text(wire.cwd)), "entering the working directory",
       plan.text(wire.cwd));
  char here[PATH_MAX];
  // The kernel says "(unreachable)" of a directory that is not below the root.
  if (::syscall(SYS_getcwd, here, sizeof here) < 0 || here[0] != '/') {
    errno = EXDEV;
    fail("entering the working directory", plan.text(wire.cwd));
  }
  const Words words(plan);
  // A shell gives the terminal back to the group that it began in; the caller's it could
  // not name.
  if (plan.has(k_wire_terminal) && ::isatty(0) == 1 && ::setpgid(0, 0) == 0) {
    ::signal(SIGTTOU, SIG_IGN);
    ::tcsetpgrp(0, ::getpid());
    ::signal(SIGTTOU, SIG_DFL);
  }
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGQUIT, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "giving up new privileges");
  set_landlock(landlock_root);
  set_seccomp(plan);
  tell(k_wire_started);
  execute(words);
  fail("starting", words.argv[0]);
}

namespace {

// The kernel's text on a process: `file` of the directory `process` in /proc.
struct ProcessText {
  ProcessText(DIR* proc, const char* process, const char* file) {
    char path[64];
    std::snprintf(path, sizeof path, "%.20s/%.20s", process, file);
    const Handle opened(::openat(::dirfd(proc), path, O_RDONLY | O_CLOEXEC));
    if (::read(opened, text, sizeof text - 1) < 0) text[0] = 0;
  }
  char text[512] = {};
};

// Memory that processes do not share, in bytes, of all of them.
std::uint64_t memory_in_use(DIR* proc) {
  std::uint64_t pages = 0;
  ::rewinddir(proc);
  while (const dirent* entry = ::readdir(proc)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    const ProcessText found(proc, entry->d_name, "statm");
    unsigned long long resident = 0;
    unsigned long long shared = 0;
    if (std::sscanf(found.text, "%*u %llu %llu", &resident, &shared) == 2 &&
        resident > shared)
      pages += resident - shared;
  }
  return pages * 4096;
}

// Takes what has ended; true if `program` was among it, whose status is told.
bool reap(int program) {
  bool ended = false;
  int status = 0;
  pid_t child = 0;
  while ((child = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (child != program) continue;
    tell(k_wire_exited, "", status);
    ended = true;
  }
  return ended;
}

// Every child of this process and of its children, by /proc's own account.
void kill_descendants() {
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return;
  const int self = ::getpid();
  while (const dirent* entry = ::readdir(proc)) {
    const int candidate = std::atoi(entry->d_name);
    int above = candidate;
    for (int depth = 0; above > 1 && above != self && depth < 1000; ++depth) {
      char process[16];
      std::snprintf(process, sizeof process, "%d", above);
      const ProcessText found(proc, process, "stat");
      const char* close = std::strrchr(found.text, ')');
      if (close == nullptr || std::sscanf(close, ") %*c %d", &above) != 1) break;
    }
    if (above == self && candidate != self && candidate > 1) ::kill(candidate, SIGKILL);
  }
  ::closedir(proc);
}

}  // namespace

int child_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  must(::sigprocmask(SIG_SETMASK, &set, nullptr), "blocking signals");
  return must(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "waiting for signals");
}

void reap_namespace(const PlanReader& plan, int program, int proc, int signals) {
  const std::uint64_t limit = plan.plan().memory;
  DIR* list = limit != 0 && proc >= 0
                  ? ::fdopendir(::openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
                  : nullptr;
  if (limit != 0 && list == nullptr) tell(k_wire_missing, k_no_memory_limit);
  while (true) {
    if (reap(program)) return;
    if (host_wants_end(signals, list != nullptr ? k_watch_milliseconds : -1)) return;
    if (list != nullptr && memory_in_use(list) > limit) {
      tell(k_wire_out_of_memory);
      return;
    }
  }
}

void reap_descendants(const PlanReader& plan, int program, int signals) {
  if (plan.plan().memory != 0) tell(k_wire_missing, k_no_memory_limit);
  // The kernel counts no processes of the machine's root.
  if (plan.plan().pids != 0 && plan.plan().uid == 0)
    tell(k_wire_missing, "the number of processes is not limited");
  while (!reap(program) && !host_wants_end(signals, -1)) {
  }
  // What starts processes faster than they are found loses when its last one is.
  for (int round = 0; round < 1000; ++round) {
    ::kill(program, SIGKILL);
    kill_descendants();
    reap(program);
    if (::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) return;
    ::usleep(1000);
  }
}

}  // namespace lithify
