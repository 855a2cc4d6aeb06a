// foreign_sandbox: a child, its output, and somebody who asks to stop.
#include "builder/sandbox/foreign_sandbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/sandbox/adapters.h"
#include "builder/sandbox/call_filter.h"
#include "builder/sandbox/owner_map.h"

extern char** environ;

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::Fd;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int k_filter_fd = 3;

void write_file(const std::filesystem::path& path, std::string_view text, unsigned mode) {
  const Fd file = oci::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  oci::write_all(file.get(), oci::as_bytes(text), path);
}

// Contents that our own launcher keeps in memory; here they lie in the box.
std::vector<std::string> write_contents(const SandboxPlan& plan,
                                        const std::filesystem::path& box) {
  std::vector<std::string> files;
  for (const SandboxMount& mount : plan.mounts) {
    if (mount.kind != SandboxMount::Kind::file) continue;
    files.push_back(box / ("file" + std::to_string(files.size())));
    write_file(files.back(), mount.content, 0600);
    const auto uid = plan.owners.uid.on_disk(mount.uid);
    const auto gid = plan.owners.gid.on_disk(mount.gid);
    if (!uid || !gid || ::chown(files.back().c_str(), *uid, *gid) != 0)
      throw oci::write_error(errno, "giving away " + files.back());
    std::filesystem::permissions(files.back(),
                                 static_cast<std::filesystem::perms>(mount.mode & 0777));
  }
  return files;
}

Fd filter_file() {
  Fd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file.valid()) throw oci::write_error(errno, "making a file in memory");
  oci::write_all(file.get(), oci::as_bytes(call_filter(Sockets::own_network)), "filter");
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw oci::errno_error(errno, "rewinding");
  Fd moved(::fcntl(file.get(), F_DUPFD_CLOEXEC, 10));
  if (!moved.valid()) throw oci::write_error(errno, "starting bwrap");
  return moved;
}

struct Child {
  pid_t pid = -1;
  Fd out;
  Fd err;  // none if both streams are one
};

// Returns the end to write to.
Fd make_pipe(Fd& read_end) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw oci::write_error(errno, "making a pipe");
  read_end = Fd(ends[0]);
  return Fd(ends[1]);
}

enum class Streams { together, apart };

Child spawn(const std::vector<std::string>& words, int filter, Streams streams) {
  Child child;
  const Fd out = make_pipe(child.out);
  const Fd err = streams == Streams::apart ? make_pipe(child.err) : Fd();
  std::vector<char*> argv;
  for (const std::string& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, err.valid() ? err.get() : out.get(), 2);
  if (filter >= 0) ::posix_spawn_file_actions_adddup2(&actions, filter, k_filter_fd);
  const int error =
      ::posix_spawnp(&child.pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT)
    throw Error(Errc::machine, words[0] + " is not installed")
        .add_hint("apt-get install " +
                  (words[0] == "bwrap" ? std::string("bubblewrap") : words[0]));
  if (error != 0) throw oci::errno_error(error, "starting " + words[0]);
  return child;
}

int wait_for(pid_t child, rusage& used) {
  int status = 0;
  while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
  }
  return status;
}

std::chrono::microseconds microseconds(const timeval& time) {
  return std::chrono::microseconds(time.tv_sec * 1'000'000LL + time.tv_usec);
}

// Reads to the end; `end` is what kills everything, called at most once.
class Watch {
 public:
  Watch(const SandboxPlan& plan, std::stop_token stop)
      : stopped_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        wake_(std::move(stop), Wake{stopped_.get()}) {
    if (plan.limits.wall_time.count() > 0)
      deadline_ = Clock::now() + plan.limits.wall_time;
  }

  template <class End>
  void read(Child& from, const SandboxStreams& streams, End end) {
    while (from.out.valid() || from.err.valid()) {
      std::array<pollfd, 3> fds = {{{from.out.get(), POLLIN, 0},
                                    {from.err.get(), POLLIN, 0},
                                    {ended_ ? -1 : stopped_.get(), POLLIN, 0}}};
      ::poll(fds.data(), fds.size(), patience());
      cancelled = cancelled || fds[2].revents != 0;
      timed_out = timed_out || (!cancelled && deadline_ && Clock::now() >= *deadline_);
      if ((cancelled || timed_out) && !ended_) {
        ended_ = true;
        deadline_.reset();
        end();
      }
      if (fds[0].revents != 0) take(from.out, streams.out);
      if (fds[1].revents != 0) take(from.err, streams.err);
    }
  }

  bool cancelled = false;
  bool timed_out = false;

 private:
  struct Wake {
    int fd;
    void operator()() const noexcept { ::eventfd_write(fd, 1); }
  };
  void take(Fd& from, const SandboxOutput& output) const {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      from = Fd();
    } else if (output && !ended_) {
      output({buffer.data(), static_cast<std::size_t>(got)});
    }
  }
  int patience() const {
    if (!deadline_) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }
  Fd stopped_;
  std::stop_callback<Wake> wake_;
  std::optional<Clock::time_point> deadline_;
  bool ended_ = false;
};

}  // namespace

std::string_view runner_name(SandboxRunner runner) {
  switch (runner) {
    case SandboxRunner::own:
      return "own";
    case SandboxRunner::bwrap:
      return "bwrap";
    case SandboxRunner::crun:
      return "crun";
    case SandboxRunner::runc:
      return "runc";
  }
  return "own";
}

std::optional<SandboxRunner> parse_runner(std::string_view name) {
  for (const SandboxRunner runner : {SandboxRunner::own, SandboxRunner::bwrap,
                                     SandboxRunner::crun, SandboxRunner::runc}) {
    if (runner_name(runner) == name) return runner;
  }
  return std::nullopt;
}

const SandboxProbe& probe_runner(SandboxRunner runner, SandboxLevel at_most) {
  if (runner == SandboxRunner::own) return probe_sandbox(at_most);
  const auto make = [](bool many_ids) {
    SandboxProbe probe;
    // Ids that are the same outside: a runtime finds its way to the root as one of them.
    const std::optional<OwnerMap> range =
        many_ids && ::geteuid() == 0 ? root_owners(false) : std::nullopt;
    probe.level = range ? SandboxLevel::id_range : SandboxLevel::single_id;
    probe.owners = range.value_or(single_owner());
    probe.fresh_proc = probe.mounts = probe.own_name = true;
    return probe;
  };
  static const SandboxProbe bubblewrap = make(false);
  static const SandboxProbe runtime = make(true);
  return runner == SandboxRunner::bwrap ? bubblewrap : runtime;
}

namespace {

struct Request {
  SandboxRunner runner;
  const SandboxPlan& plan;
  const std::filesystem::path& box;
};

SandboxOutcome run(const Request& request, const SandboxStreams& streams, Streams how,
                   std::stop_token stop) {
  const auto& [runner, plan, box] = request;
  const std::string program(runner_name(runner));
  if (plan.clock || plan.reversed_directories)
    throw Error(Errc::bad_input,
                "in the sandbox of " + program + " there is no clock but the real one")
        .add_hint(
            "leave `clock: epoch` out of the step, or `--sandbox` out of the command");
  const std::string name = "lithify-" + box.filename().string();
  const std::string state = box / "state";
  const std::vector<std::string> files = write_contents(plan, box);
  const bool is_bwrap = runner == SandboxRunner::bwrap;
  const Fd filter = is_bwrap ? filter_file() : Fd();
  std::vector<std::string> words = {program};
  if (is_bwrap) {
    const std::vector<std::string> more = bwrap_words(plan, files, k_filter_fd);
    words.insert(words.end(), more.begin(), more.end());
  } else {
    write_file(box / "config.json", runtime_config(plan, files), 0600);
    words.insert(words.end(), {"--root", state, "run", "--bundle", box, name});
  }
  Child child = spawn(words, filter.get(), how);
  rusage used = {};
  const auto end = [&] {
    // bubblewrap's processes die with it; a runtime's container must be asked for.
    rusage unused = {};
    if (!is_bwrap)
      wait_for(spawn({program, "--root", state, "delete", "--force", name}, -1,
                     Streams::together)
                   .pid,
               unused);
    ::kill(child.pid, SIGKILL);
  };
  Watch watch(plan, std::move(stop));
  try {
    watch.read(child, streams, end);
  } catch (...) {
    end();
    wait_for(child.pid, used);
    throw;
  }
  const int status = wait_for(child.pid, used);
  if (watch.cancelled) throw oci::Cancelled();
  SandboxOutcome outcome;
  outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  outcome.timed_out = watch.timed_out;
  outcome.user_time = microseconds(used.ru_utime);
  outcome.system_time = microseconds(used.ru_stime);
  outcome.peak_memory = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
  return outcome;
}

}  // namespace

SandboxOutcome run_foreign(SandboxRunner runner, const SandboxPlan& plan,
                           const std::filesystem::path& box, const SandboxOutput& output,
                           std::stop_token stop) {
  if (runner == SandboxRunner::own) return run_sandbox(plan, output, std::move(stop));
  return run({runner, plan, box}, {output, nullptr}, Streams::together, std::move(stop));
}

SandboxOutcome run_foreign(SandboxRunner runner, const SandboxPlan& plan,
                           const std::filesystem::path& box,
                           const SandboxStreams& streams, std::stop_token stop) {
  if (runner == SandboxRunner::own) return run_sandbox(plan, streams, std::move(stop));
  return run({runner, plan, box}, streams, Streams::apart, std::move(stop));
}

}  // namespace lithify
