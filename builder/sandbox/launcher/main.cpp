// The launcher: makes a place that holds what its plan declares, runs one program in it,
// and sees to it that nothing of it is left. A program of its own, because the process
// that is the first of the new namespaces should hold nothing that matters.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "builder/sandbox/launcher/confine.h"
#include "builder/sandbox/launcher/kernel.h"
#include "builder/sandbox/launcher/program.h"
#include "builder/sandbox/launcher/room.h"
#include "builder/sandbox/launcher/tell.h"

using namespace lithify;

namespace {

constexpr int k_namespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWTIME;

PlanReader read_plan() {
  struct stat status = {};
  must(::fstat(k_plan_fd, &status), "reading the plan");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* bytes = size == 0 ? MAP_FAILED
                          : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, k_plan_fd, 0);
  if (bytes == MAP_FAILED) fail("reading the plan");
  PlanReader reader;
  errno = EINVAL;
  if (!reader.open(bytes, size)) fail("reading the plan");
  ::close(k_plan_fd);
  return reader;
}

void close_everything_else() {
  if (::close_range(k_control_fd + 1, ~0u, 0) == 0) return;
  for (int fd = k_control_fd + 1; fd < 65536; ++fd)
    ::close(fd);
}

void settle(const PlanReader& plan) {
  ::fcntl(k_control_fd, F_SETFD, FD_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < NSIG; ++number)
    ::signal(number, SIG_DFL);
  if (!plan.has(k_wire_terminal)) ::setsid();
  // Ctrl-C is for whoever sits in the sandbox.
  if (plan.has(k_wire_terminal) && !plan.has(k_wire_enter_only)) {
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGQUIT, SIG_IGN);
  }
  ::umask(0);
  // Without a namespace of processes the end must be an orderly one.
  if (!plan.has(k_wire_user_namespace)) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.plan().parent) _exit(125);
}

// NEWTIME is younger than the rest, and only comfort.
void leave_namespaces(int flags, const char* doing) {
  if (::unshare(flags) == 0) return;
  if (errno == EINVAL && ::unshare(flags & ~CLONE_NEWTIME) == 0) return;
  fail(doing);
}

void be_root(const PlanReader& plan) {
  must(::setresgid(0, 0, 0), "becoming root's group");
  must(::setresuid(0, 0, 0), "becoming root");
  if (plan.has(k_wire_id_range)) must(::setgroups(0, nullptr), "dropping groups");
}

[[noreturn]] void enter_only(const PlanReader& plan) {
  must(::unshare(CLONE_NEWUSER), "making a user namespace");
  tell(k_wire_wants_ids);
  wait_for_leave();
  be_root(plan);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::umask(022);
  const Words words(plan);
  tell(k_wire_started);
  ::execve(words.argv[0], words.argv, words.env);
  fail("starting", words.argv[0]);
}

void raise_loopback() {
  const Handle any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (any < 0 || ::ioctl(any, SIOCSIFFLAGS, &request) != 0)
    tell(k_wire_missing, "there is no loopback network");
}

// What the probe's last process says.
[[noreturn]] void end_probe() {
  if (landlock_abi() >= 6) tell(k_wire_offers, "scopes");
  tell(k_wire_exited);
  _exit(0);
}

// The first process of the namespaces. It outlives the program by a moment, and all that
// is left of it dies with this one.
[[noreturn]] void be_first(const PlanReader& plan, Trees& trees) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char* hostname = plan.text(plan.plan().hostname);
  // Podman's filter refuses it; then the host answers who asks for it.
  const bool named = ::sethostname(hostname, std::strlen(hostname)) == 0 &&
                     ::setdomainname("(none)", 6) == 0;
  if (!plan.has(k_wire_host_network)) raise_loopback();
  const int proc = make_room(plan, trees);
  if (plan.has(k_wire_probe)) {
    if (overlay_works()) tell(k_wire_offers, "overlay");
    if (proc >= 0) tell(k_wire_offers, "proc");
    if (named) tell(k_wire_offers, "name");
    end_probe();
  }
  // /dev/stdout and /dev/stderr are opened anew by programs; where the host's pipes are
  // not ours it did this.
  for (int stream = 1; stream <= 2; ++stream) {
    if (!plan.has(k_wire_terminal) &&
        ::fchown(stream, plan.plan().uid, plan.plan().gid) != 0)
      errno = 0;
  }
  for (std::uint32_t i = 0; i < plan.plan().skipped; ++i) {
    const pid_t nobody = ::fork();
    if (nobody == 0) _exit(0);
    if (nobody > 0) ::waitpid(nobody, nullptr, 0);
  }
  const int signals = child_signals();
  const pid_t program = must(::fork(), "starting a process");
  if (program == 0) run_program(plan, -1);
  constexpr std::uint64_t k_kill = 1u << 5;
  constexpr std::uint64_t k_ptrace = 1u << 19;  // /proc shows others' processes for it
  keep_capabilities(k_kill | k_ptrace);
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::close(1);
  ::close(2);
  reap_namespace(plan, program, proc, signals);
  _exit(0);
}

int run_in_namespaces(const PlanReader& plan, Trees& trees) {
  if (plan.has(k_wire_trees_first)) {
    must(::unshare(CLONE_NEWNS), "making a mount namespace");
    make_mounts_private();
    // A probe's root belongs to those who enter.
    if (!plan.has(k_wire_probe)) copy_trees(plan, trees);
  }
  const int network = plan.has(k_wire_host_network) ? 0 : CLONE_NEWNET;
  leave_namespaces(CLONE_NEWUSER | k_namespaces | network, "making namespaces");
  tell(k_wire_wants_ids);
  wait_for_leave();
  be_root(plan);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::unshare(CLONE_NEWCGROUP) != 0)
    tell(k_wire_missing, "control groups are not hidden");
  const pid_t first = must(::fork(), "starting a process");
  if (first == 0) be_first(plan, trees);
  ::close(1);
  ::close(2);
  int status = 0;
  while (::waitpid(first, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

int run_in_chroot(const PlanReader& plan) {
  tell(k_wire_wants_ids);
  wait_for_leave();
  must(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "adopting orphans");
  const int signals = child_signals();
  // Another process, so that this one still sees /proc.
  const pid_t child = must(::fork(), "starting a process");
  if (child == 0) {
    if (plan.has(k_wire_probe)) {
      must(::chroot("/"), "changing the root");
      end_probe();
    }
    make_plain_room(plan);
    run_program(plan,
                must(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), "opening the root"));
  }
  ::close(1);
  ::close(2);
  reap_descendants(plan, child, signals);
  return 0;
}

}  // namespace

int main() {
  const PlanReader plan = read_plan();
  close_everything_else();
  settle(plan);
  if (plan.has(k_wire_enter_only)) enter_only(plan);
  if (!plan.has(k_wire_user_namespace)) return run_in_chroot(plan);
  Trees trees;
  trees.binds = static_cast<int*>(std::calloc(plan.plan().mounts.count + 1, sizeof(int)));
  if (trees.binds == nullptr) fail("reading the mounts");
  return run_in_namespaces(plan, trees);
}
