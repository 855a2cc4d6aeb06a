// session: a poll over the output, the launcher's messages and the request to stop.
#include "builder/sandbox/session.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/fd.h"

#include "builder/sandbox/control_group.h"
#include "builder/sandbox/encode.h"
#include "builder/sandbox/launcher/wire.h"
#include "builder/sandbox/launcher_program.h"
#include "builder/sandbox/owner_map.h"
#include "builder/sandbox/tracer.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::Fd;
using Clock = std::chrono::steady_clock;

namespace {

// How long the launcher may take to end what it started when it is asked to.
constexpr std::chrono::seconds k_grace{5};

struct Pipe {
  Fd read_end;
  Fd write_end;
};

// /dev/stdout in the sandbox is opened anew there, so the pipe belongs to the program's
// user. Where that cannot be, only such an opening fails.
Pipe output_pipe(const SandboxPlan& plan) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw oci::write_error(errno, "making a pipe");
  Pipe pipe = {Fd(ends[0]), Fd(ends[1])};
  const auto uid = plan.owners.uid.on_disk(plan.uid);
  const auto gid = plan.owners.gid.on_disk(plan.gid);
  [[maybe_unused]] const int ignored = uid && gid ? ::fchown(ends[1], *uid, *gid) : 0;
  return pipe;
}

// What the user named, as against what the machine refused.
bool names_something(std::string_view doing) {
  for (const std::string_view begin :
       {"starting /", "starting ", "entering the working directory",
        "finding the mount point", "making the mount point", "the root's own"}) {
    if (doing.starts_with(begin) && doing != "starting a process") return true;
  }
  return false;
}

Error failure_of(const WireMessage& message, std::string_view text) {
  const std::string reason = std::strerror(message.error);
  if (names_something(text)) {
    Error error(Errc::bad_input, std::string(text) + ": " + reason);
    if (text.starts_with("starting ") && message.error == ENOENT)
      error.add_hint("install it in a step before, or name it with its path");
    return error;
  }
  return Error(Errc::machine,
               "the sandbox cannot be made: " + std::string(text) + ": " + reason);
}

// One message, and who sent it as this process counts processes.
ssize_t receive(int control, WireMessage& message, pid_t& sender) {
  iovec bytes = {&message, sizeof message};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> extra;
  msghdr header = {};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = extra.data();
  header.msg_controllen = extra.size();
  const ssize_t got = ::recvmsg(control, &header, MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  const cmsghdr* const first = CMSG_FIRSTHDR(&header);
  if (first == nullptr || first->cmsg_type != SCM_CREDENTIALS) return got;
  ucred who = {};
  std::memcpy(&who, CMSG_DATA(first), sizeof who);
  sender = who.pid;
  return got;
}

// A group that holds the plan's limits, where this machine lets us have one.
std::unique_ptr<ControlGroup> group_for(const SandboxPlan& plan) {
  const bool limited = plan.limits.memory != 0 || plan.limits.pids != 0;
  if (!limited || !place_for_groups()) return nullptr;
  auto group = std::make_unique<ControlGroup>(*place_for_groups());
  group->limit(plan.limits, plan.cpus);
  return group;
}

class Conversation {
 public:
  Conversation(const SandboxPlan& plan, std::uint32_t flags, const SessionOutput& output,
               std::stop_token stop)
      : plan_(plan),
        output_(output),
        enters_((flags & k_wire_enter_only) != 0),
        stop_(stop),
        stopped_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        out_(plan.terminal ? Pipe() : output_pipe(plan)),
        err_(plan.terminal || output.apart == nullptr ? Pipe() : output_pipe(plan)),
        group_(group_for(plan)),
        launcher_(encode(plan, {.flags = flags, .limits_held = group_ != nullptr}),
                  streams()),
        wake_(std::move(stop), Wake{stopped_.get()}) {
    out_.write_end = Fd();
    err_.write_end = Fd();
  }

  SandboxSession run() {
    if (plan_.limits.wall_time.count() > 0)
      deadline_ = Clock::now() + plan_.limits.wall_time;
    try {
      while (control_open_ || out_.read_end.valid() || err_.read_end.valid())
        step();
    } catch (...) {
      launcher_.ask_to_end();
      linger();
      throw;
    }
    finish();
    return std::move(session_);
  }

 private:
  struct Wake {
    int fd;
    void operator()() const noexcept { ::eventfd_write(fd, 1); }
  };

  std::optional<Launcher::Streams> streams() const {
    if (plan_.terminal) return std::nullopt;
    const Pipe& err = output_.apart != nullptr ? err_ : out_;
    return Launcher::Streams{out_.write_end.get(), err.write_end.get()};
  }

  int patience() const {
    if (!deadline_) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }

  void step() {
    std::array<pollfd, 4> fds = {{{control_open_ ? launcher_.control() : -1, POLLIN, 0},
                                  {out_.read_end.get(), POLLIN, 0},
                                  {cancelled_ ? -1 : stopped_.get(), POLLIN, 0},
                                  {err_.read_end.get(), POLLIN, 0}}};
    const int ready = ::poll(fds.data(), fds.size(), patience());
    if (ready < 0 && errno != EINTR) throw oci::errno_error(errno, "waiting for a step");
    if (deadline_ && Clock::now() >= *deadline_) run_out();
    if (ready <= 0) return;
    if (fds[2].revents != 0) {
      cancelled_ = true;
      end_soon();
    }
    const SandboxStreams* const apart = output_.apart;
    if (fds[1].revents != 0)
      take_output(out_.read_end, apart != nullptr ? apart->out : output_.together);
    if (fds[3].revents != 0) take_output(err_.read_end, apart->err);
    if (fds[0].revents != 0) take_message();
  }

  // Twice: the second time the launcher had its time to end things.
  void run_out() {
    if (ending_) {
      launcher_.kill();
      deadline_.reset();
      return;
    }
    session_.outcome.timed_out = true;
    end_soon();
  }

  void end_soon() {
    ending_ = true;
    if (enters_) launcher_.kill();
    launcher_.ask_to_end();
    deadline_ = Clock::now() + k_grace;
  }

  void take_output(Fd& from, const SandboxOutput& output) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) {
      from = Fd();
    } else if (output && !cancelled_) {
      output({buffer.data(), static_cast<std::size_t>(got)});
    }
  }

  void take_message() {
    WireMessage message;
    pid_t sender = 0;
    const ssize_t got = receive(launcher_.control(), message, sender);
    if (got < 0 && errno == EINTR) return;
    if (got != sizeof message) {
      control_open_ = false;
      return;
    }
    const std::string text(message.text,
                           std::min<std::size_t>(message.length, sizeof message.text));
    switch (message.kind) {
      case k_wire_wants_ids:
        return allow();
      case k_wire_held:
        return trace(sender);
      case k_wire_failed:
        if (!session_.failure) session_.failure = failure_of(message, text);
        return;
      case k_wire_made:
        session_.outcome.made.push_back(text);
        return;
      case k_wire_missing:
        session_.outcome.weaker.push_back(text);
        return;
      case k_wire_offers:
        session_.offers.push_back(text);
        return;
      case k_wire_out_of_memory:
        session_.outcome.out_of_memory = true;
        return;
      case k_wire_exited:
        exited_ = true;
        status_ = message.value;
        return;
      default:
        return;
    }
  }

  void allow() {
    try {
      if (group_) group_->take(launcher_.pid());
      if (plan_.level != SandboxLevel::chroot) give_ids(launcher_.pid(), plan_.owners);
    } catch (Error& error) {
      session_.failure = std::move(error);
      launcher_.ask_to_end();
      return;
    }
    const char byte = 'g';
    [[maybe_unused]] const ssize_t ignored =
        ::send(launcher_.control(), &byte, 1, MSG_NOSIGNAL);
  }

  void trace(pid_t program) {
    try {
      tracer_.emplace(program, plan_);
    } catch (Error& error) {
      session_.failure = std::move(error);
      launcher_.ask_to_end();
    }
  }

  // After an exception nobody listens any more, but nothing may be left either.
  void linger() {
    const auto until = Clock::now() + k_grace;
    pollfd control = {launcher_.control(), POLLIN, 0};
    out_.read_end = Fd();
    err_.read_end = Fd();
    WireMessage message;
    while (Clock::now() < until) {
      if (::poll(&control, 1, 100) > 0 &&
          ::recv(launcher_.control(), &message, sizeof message, 0) <= 0)
        break;
    }
    if (Clock::now() >= until) launcher_.kill();
    rusage unused = {};
    launcher_.wait(unused);
  }

  // What was a launcher is a program of the host's now, and does not listen to us.
  void wait_for_entered() {
    const std::stop_callback kill(stop_, [this] {
      cancelled_ = true;
      launcher_.kill();
    });
    siginfo_t info = {};
    while (::waitid(P_PID, static_cast<id_t>(launcher_.pid()), &info, WEXITED | WNOWAIT) <
               0 &&
           errno == EINTR) {
    }
  }

  void finish() {
    rusage used = {};
    if (enters_) wait_for_entered();
    const int launcher = launcher_.wait(used);
    SandboxOutcome& outcome = session_.outcome;
    const auto microseconds = [](const timeval& time) {
      return std::chrono::microseconds(time.tv_sec * 1'000'000LL + time.tv_usec);
    };
    outcome.user_time = microseconds(used.ru_utime);
    outcome.system_time = microseconds(used.ru_stime);
    outcome.peak_memory = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
    if (cancelled_) throw oci::Cancelled();
    if (tracer_ && tracer_->missed())
      outcome.weaker.push_back("a program saw the real time, or directories as they are");
    if (enters_ && !session_.failure) {
      exited_ = true;
      status_ = launcher;
    }
    if (group_ && group_->ran_out_of_memory()) outcome.out_of_memory = true;
    outcome.out_of_processes = group_ && group_->ran_out_of_processes();
    if (exited_ || outcome.timed_out || outcome.out_of_memory) {
      if (!exited_) status_ = SIGKILL;
      outcome.exit_status = WIFEXITED(status_) ? WEXITSTATUS(status_) : 0;
      outcome.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
    } else if (!session_.failure) {
      session_.failure =
          Error(Errc::machine, "the sandbox's launcher ended before its program")
              .add_note("something outside killed it, often for want of memory");
    }
  }

  const SandboxPlan& plan_;
  const SessionOutput& output_;
  bool enters_;
  std::stop_token stop_;
  Fd stopped_;
  Pipe out_;
  Pipe err_;  // no pipe if both streams are one
  std::unique_ptr<ControlGroup> group_;
  std::optional<Tracer> tracer_;  // ends when the launcher and all below it have
  Launcher launcher_;
  std::stop_callback<Wake> wake_;
  SandboxSession session_;
  std::optional<Clock::time_point> deadline_;
  bool control_open_ = true;
  std::atomic<bool> cancelled_ = false;
  bool ending_ = false;
  bool exited_ = false;
  int status_ = 0;
};

}  // namespace

SandboxSession converse(const SandboxPlan& plan, std::uint32_t flags,
                        const SessionOutput& output, std::stop_token stop) {
  return Conversation(plan, flags, output, std::move(stop)).run();
}

}  // namespace lithify
