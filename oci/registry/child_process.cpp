// child_process: pipes out of the child are polled; what it reads is a file in memory,
// which cannot fill up or break.
#include "oci/registry/child_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

extern char** environ;

namespace oci {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_max_complaint = 4096;
// How often a stop, the deadline and the end of the child are looked for.
constexpr int k_tick_ms = 20;

void check(int error_number, const std::string& doing) {
  if (error_number != 0) throw errno_error(error_number, doing);
}

// posix_spawn's C objects, owned.
class SpawnSetup {
 public:
  SpawnSetup() {
    check(::posix_spawn_file_actions_init(&actions_), "preparing a program");
    if (const int error_number = ::posix_spawnattr_init(&attributes_)) {
      ::posix_spawn_file_actions_destroy(&actions_);
      check(error_number, "preparing a program");
    }
  }
  ~SpawnSetup() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  void dup(const Fd& from, int to) {
    check(::posix_spawn_file_actions_adddup2(&actions_, from.get(), to),
          "preparing a program");
  }
  // We block and ignore signals for reasons that are not the child's. Its process group
  // stays ours: some helpers ask for a passphrase at the terminal.
  void reset_signals() {
    sigset_t none;
    sigset_t ignored;
    sigemptyset(&none);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &ignored);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Out of the way of 0 to 2, which the child changes one by one.
Fd moved_up(Fd fd) {
  Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!moved.valid()) throw errno_error(errno, "preparing a program");
  return moved;
}

struct Pipe {
  Fd read_end;
  Fd write_end;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw errno_error(errno, "making a pipe");
  Pipe made{Fd(ends[0]), Fd(ends[1])};
  ::fcntl(made.read_end.get(), F_SETFL, O_NONBLOCK);
  made.write_end = moved_up(std::move(made.write_end));
  return made;
}

Fd input_file(const Secret& input) {
  Fd fd(::memfd_create("input", MFD_CLOEXEC));
  if (!fd.valid()) throw errno_error(errno, "making a file in memory");
  write_all(fd.get(), as_bytes(input.reveal()), "a program's input");
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) throw errno_error(errno, "rewinding");
  return moved_up(std::move(fd));
}

// A child that is killed and waited for unless it ended.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (ended_) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool ended() {
    if (ended_) return true;
    const pid_t waited = ::waitpid(pid_, &status_, WNOHANG);
    // Where SIGCHLD is ignored nobody learns how a child ended; what it said must do.
    ended_ = waited == pid_ || (waited < 0 && errno == ECHILD);
    return ended_;
  }
  int status() const {
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

 private:
  pid_t pid_;
  int status_ = 0;
  bool ended_ = false;
};

pid_t spawn(const std::vector<std::string>& words, const SpawnSetup& setup) {
  std::vector<char*> argv;
  for (const std::string& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  check(::posix_spawnp(&pid, argv[0], setup.actions(), setup.attributes(), argv.data(),
                       environ),
        "starting " + words[0]);
  return pid;
}

// What one stream of the child said so far.
struct Stream {
  Fd fd;
  std::string text = {};

  // Takes what is there; closes the stream at its end.
  void drain(std::size_t most) {
    std::array<char, 4096> buffer;
    while (fd.valid()) {
      const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) {
        fd = Fd();
        return;
      }
      text.append(buffer.data(), static_cast<std::size_t>(count));
      if (text.size() > most) return;
    }
  }
};

// Returns when the child has ended. A daemon that it leaves behind may hold the pipes
// open for ever, so their ends are not waited for.
void attend(Child& child, Stream& output, Stream& complaint, std::size_t max_output,
            Clock::time_point deadline, const std::string& name, std::stop_token stop) {
  for (;;) {
    const bool ended = child.ended();
    output.drain(max_output);
    complaint.drain(k_max_complaint);
    complaint.text.resize(std::min(complaint.text.size(), k_max_complaint));
    if (output.text.size() > max_output) {
      throw Error(Errc::denied,
                  fmt::format("{} says more than {} bytes", name, max_output));
    }
    if (ended) return;
    if (stop.stop_requested()) throw Cancelled();
    if (Clock::now() >= deadline) {
      throw Error(Errc::denied, name + " did not answer in time, and was ended");
    }
    pollfd polled[2] = {{output.fd.get(), POLLIN, 0}, {complaint.fd.get(), POLLIN, 0}};
    ::poll(polled, 2, output.fd.valid() ? k_tick_ms : 1);
  }
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& words, const Secret& input,
                      std::size_t max_output, std::chrono::milliseconds timeout,
                      std::stop_token stop) {
  const Clock::time_point deadline = Clock::now() + timeout;
  SpawnSetup setup;
  Pipe output = make_pipe();
  Pipe complaint = make_pipe();
  const Fd file = input_file(input);
  setup.dup(file, 0);
  setup.dup(output.write_end, 1);
  setup.dup(complaint.write_end, 2);
  setup.reset_signals();
  Child child(spawn(words, setup));
  output.write_end = Fd();
  complaint.write_end = Fd();
  Stream said{std::move(output.read_end)};
  Stream complained{std::move(complaint.read_end)};
  attend(child, said, complained, max_output, deadline, words[0], std::move(stop));
  return {child.status(), Secret(std::move(said.text)), std::move(complained.text)};
}

}  // namespace oci
