// launcher_program: the bytes stand in this binary and are run from memory, so that one
// file is all there is to install.
#include "builder/sandbox/launcher_program.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <mutex>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/error.h"

#include "builder/sandbox/launcher/wire.h"

// LITHIFY_LAUNCHER is the path of the launcher; only the assembler opens it.
asm(".section .rodata\n"
    ".balign 16\n"
    ".global lithify_launcher_begin\n"
    "lithify_launcher_begin:\n"
    ".incbin \"" LITHIFY_LAUNCHER
    "\"\n"
    ".global lithify_launcher_end\n"
    "lithify_launcher_end:\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const char lithify_launcher_begin[];
extern "C" const char lithify_launcher_end[];

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::Fd;

namespace {

std::string_view launcher_bytes() {
  return {lithify_launcher_begin,
          static_cast<std::size_t>(lithify_launcher_end - lithify_launcher_begin)};
}

constexpr unsigned k_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

// A file in memory that nobody changes any more.
Fd sealed(const char* name, std::string_view bytes) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) throw oci::write_error(errno, "making a file in memory");
  oci::write_all(fd.get(), oci::as_bytes(bytes), name);
  if (::fcntl(fd.get(), F_ADD_SEALS, k_seals) != 0)
    throw oci::write_error(errno, "sealing a file in memory");
  return fd;
}

// Where files in memory may not be executed (vm.memfd_noexec): one that has no name
// either as soon as it is open.
Fd program_on_disk() {
  std::string path = "/tmp/lithify-XXXXXX";
  Fd out(::mkostemp(path.data(), O_CLOEXEC));
  if (!out.valid()) throw oci::write_error(errno, "making " + path);
  Fd program;
  try {
    oci::write_all(out.get(), oci::as_bytes(launcher_bytes()), path);
    if (::fchmod(out.get(), 0500) != 0) throw oci::write_error(errno, "making " + path);
    program = oci::open_file(path, O_RDONLY);
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
  ::unlink(path.c_str());
  return program;
}

// What the child needs, made before it exists: it shares our memory until it executes.
struct Start {
  int program;
  std::array<int, 5> streams;  // become 0 to 4
  int error = 0;
};

int begin_child(void* argument) {
  auto& start = *static_cast<Start*>(argument);
  // None of the sources is below 5, so no source is overwritten by an earlier target.
  for (int to = 0; to < 5; ++to) {
    const int from = start.streams[static_cast<std::size_t>(to)];
    if (from >= 0 && ::dup2(from, to) < 0) {
      start.error = errno;
      _exit(125);
    }
  }
  static char name[] = "lithify-sandbox";
  char* const argv[] = {name, nullptr};
  char* const env[] = {nullptr};
  ::syscall(SYS_execveat, start.program, "", argv, env, AT_EMPTY_PATH);
  start.error = errno;
  _exit(125);
}

// As posix_spawn does it, which has no way to execute a descriptor.
pid_t spawn(Start& start) {
  constexpr std::size_t k_stack = 64 * 1024;
  void* stack = ::mmap(nullptr, k_stack, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) throw oci::write_error(errno, "starting the sandbox");
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  start.error = 0;
  const pid_t pid = ::clone(begin_child, static_cast<char*>(stack) + k_stack,
                            CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::munmap(stack, k_stack);
  if (pid < 0) throw oci::write_error(error, "starting the sandbox");
  return pid;
}

Fd moved_up(int fd) {
  Fd moved(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
  if (!moved.valid()) throw oci::write_error(errno, "starting the sandbox");
  return moved;
}

// One for the life of this process: it is a megabyte to write.
int program_fd(bool on_disk) {
  static std::mutex mutex;
  static Fd in_memory;
  static Fd file;
  const std::lock_guard lock(mutex);
  if (on_disk) {
    if (!file.valid()) file = moved_up(program_on_disk().get());
    return file.get();
  }
  if (!in_memory.valid())
    in_memory = moved_up(sealed("lithify-sandbox", launcher_bytes()).get());
  return in_memory.get();
}

}  // namespace

Launcher::Launcher(const std::string& plan, const std::optional<Streams>& streams) {
  const Fd plan_fd = moved_up(sealed("plan", plan).get());
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw oci::write_error(errno, "starting the sandbox");
  control_ = Fd(ends[0]);
  const int on = 1;
  if (::setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
    throw oci::write_error(errno, "starting the sandbox");
  const Fd theirs = moved_up(ends[1]);
  ::close(ends[1]);
  const Fd nothing = moved_up(oci::open_file("/dev/null", O_RDONLY).get());
  const Fd out = streams ? moved_up(streams->out) : Fd();
  const Fd err = streams ? moved_up(streams->err) : Fd();
  Start start = {};
  start.streams = {streams ? nothing.get() : -1, out.get(), err.get(), plan_fd.get(),
                   theirs.get()};
  for (const bool on_disk : {false, true}) {
    start.program = program_fd(on_disk);
    pid_ = spawn(start);
    if (start.error == 0) return;
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  waited_ = true;
  throw oci::write_error(start.error, "executing the sandbox's launcher");
}

Launcher::~Launcher() {
  if (waited_) return;
  rusage unused = {};
  kill();
  wait(unused);
}

void Launcher::ask_to_end() {
  const char byte = 'x';
  [[maybe_unused]] const ssize_t ignored =
      ::send(control_.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Launcher::kill() {
  if (!waited_) ::kill(pid_, SIGKILL);
}

int Launcher::wait(rusage& used) {
  int status = 0;
  while (!waited_ && ::wait4(pid_, &status, 0, &used) < 0 && errno == EINTR) {
  }
  waited_ = true;
  return status;
}

}  // namespace lithify
