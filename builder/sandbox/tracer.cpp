// tracer: one loop over the stops of all tracees.
#include "builder/sandbox/tracer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <linux/futex.h>
#include <map>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "oci/base/error.h"

#include "builder/sandbox/call_filter.h"
#include "builder/sandbox/idle_process.h"
#include "builder/sandbox/own_links.h"
#include "builder/sandbox/tracee.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr long k_options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD |
                           PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                           PTRACE_O_TRACECLONE | PTRACE_O_TRACESECCOMP;
constexpr std::uint64_t k_below_stack = 512;  // beyond what a leaf function may use
constexpr std::size_t k_most_entries = 1 << 20;
constexpr std::size_t k_longest_link = 32;       // "/proc/self/fd/" and a number
constexpr std::int64_t k_latest = 253402300799;  // 9999-12-31T23:59:59Z

struct Moment {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
};

Moment now() {
  timespec time = {};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return {time.tv_sec, time.tv_nsec};
}

std::string real_path(const std::string& path) {
  std::error_code problem;
  const std::filesystem::path real = std::filesystem::canonical(path, problem);
  return problem ? path : real.string();
}

bool may_trace() {
  const IdleProcess tracee;
  return tracee.id() > 0 &&
         ::ptrace(PTRACE_SEIZE, tracee.id(), nullptr, PTRACE_O_EXITKILL) == 0;
}

// Whether the kernel lets us trace what we have started.
bool can_trace() {
  static const bool may = may_trace();
  return may;
}

// struct linux_dirent64 begins with inode and position, eight bytes each, and the length
// of the entry, two. Positions stay where they are: they lead on from a place.
void reverse_entries(std::vector<char>& entries) {
  constexpr std::size_t k_position = 8;
  constexpr std::size_t k_length = 16;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // offset and size
  std::vector<std::array<char, 8>> positions;
  for (std::size_t at = 0; at + k_length + 2 <= entries.size();) {
    std::uint16_t length = 0;
    std::memcpy(&length, entries.data() + at + k_length, sizeof length);
    if (length < k_length + 2 || at + length > entries.size()) return;
    places.emplace_back(at, length);
    std::memcpy(positions.emplace_back().data(), entries.data() + at + k_position, 8);
    at += length;
  }
  std::vector<char> reversed;
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    const std::size_t start = reversed.size();
    const auto from = entries.begin() + static_cast<std::ptrdiff_t>(place->first);
    reversed.insert(reversed.end(), from,
                    from + static_cast<std::ptrdiff_t>(place->second));
    const auto& position = positions[static_cast<std::size_t>(place - places.rbegin())];
    std::memcpy(reversed.data() + start + k_position, position.data(), 8);
  }
  if (reversed.size() == entries.size()) entries = std::move(reversed);
}

class Watch {
 public:
  Watch(const SandboxPlan& plan, std::atomic<bool>& missed)
      : clock_(plan.clock),
        hostname_(plan.hostname),
        root_(tells_links(plan) ? real_path(plan.root) : ""),
        missed_(missed) {}

  // Returns when no tracee is left.
  void run(pid_t program) {
    held_ = program;
    while (true) {
      int status = 0;
      const pid_t id = ::waitpid(-1, &status, __WALL | __WNOTHREAD);
      if (id < 0 && errno == EINTR) continue;
      if (id < 0) return;
      if (WIFSTOPPED(status)) {
        stopped(Tracee(id), status);
      } else {
        open_.erase(id);
      }
    }
  }

 private:
  // A call that was let through, and what is to be done when it comes back.
  struct Open {
    std::optional<std::pair<unsigned, std::uint64_t>> argument = {};  // to be put back
    std::uint64_t entries = 0;  // the address of names of a directory
    std::uint64_t names = 0;    // the address of what uname(2) tells
  };

  static void go_on(Tracee tracee, int signal = 0) {
    ::ptrace(PTRACE_CONT, tracee.id(), nullptr, static_cast<long>(signal));
  }

  void stopped(Tracee tracee, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    switch (event) {
      case PTRACE_EVENT_EXEC:
        open_.erase(tracee.id());
        if (clock_ && !tracee.hide_vdso()) missed_ = true;
        return go_on(tracee);
      case PTRACE_EVENT_SECCOMP:
        return before_call(tracee);
      case PTRACE_EVENT_STOP:
        return of_job_control(tracee, signal);
      case 0:
        break;
      default:
        return go_on(tracee);
    }
    if (signal == (SIGTRAP | 0x80)) return behind_call(tracee);
    const bool was_held = tracee.id() == held_ && signal == SIGSTOP;
    if (was_held) held_ = 0;
    go_on(tracee, was_held ? 0 : signal);
  }

  void of_job_control(Tracee tracee, int signal) {
    constexpr std::array k_stops = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    if (std::find(k_stops.begin(), k_stops.end(), signal) == k_stops.end())
      return go_on(tracee);
    ::ptrace(PTRACE_LISTEN, tracee.id(), nullptr, nullptr);
    if (tracee.id() != held_) return;
    held_ = 0;  // it had stopped itself before we came
    ::kill(tracee.id(), SIGCONT);
  }

  void before_call(Tracee tracee) {
    const auto call = tracee.call();
    if (!call) {
      missed_ = true;
      return go_on(tracee);
    }
    switch (static_cast<TracedCall>(call->which)) {
      case TracedCall::clock_gettime:
        return tell_time(tracee, call->arguments[1], 1);
      case TracedCall::gettimeofday:
        return tell_time_and_zone(tracee, call->arguments);
      case TracedCall::time:
        return tell_seconds(tracee, call->arguments[0]);
      case TracedCall::futex:
        return translate(tracee, 3, call->arguments[3]);
      case TracedCall::clock_nanosleep:
        return translate(tracee, 2, call->arguments[2]);
      case TracedCall::getdents64:
        open_[tracee.id()] = {.entries = call->arguments[1]};
        return await_result(tracee);
      case TracedCall::uname:
        open_[tracee.id()] = {.names = call->arguments[0]};
        return await_result(tracee);
      case TracedCall::readlink:
        return tell_link(tracee, &call->arguments[0]);
      case TracedCall::readlinkat:
        return tell_link(tracee, &call->arguments[1]);
    }
    go_on(tracee);
  }

  static void await_result(Tracee tracee) {
    ::ptrace(PTRACE_SYSCALL, tracee.id(), nullptr, nullptr);
  }

  void behind_call(Tracee tracee) {
    const auto found = open_.find(tracee.id());
    if (found == open_.end()) return go_on(tracee);
    const Open open = found->second;
    open_.erase(found);
    if (open.argument) tracee.set_argument(open.argument->first, open.argument->second);
    const auto result = tracee.result();
    if (open.entries != 0 && result && *result > 0 &&
        static_cast<std::uint64_t>(*result) <= k_most_entries) {
      std::vector<char> entries(static_cast<std::size_t>(*result));
      if (tracee.read(open.entries, entries.data(), entries.size())) {
        reverse_entries(entries);
        tracee.write(open.entries, entries.data(), entries.size());
      }
    }
    if (open.names != 0 && result && *result == 0) tell_name(tracee, open.names);
    go_on(tracee);
  }

  // In the place of the name that the kernel gave; the rest is as it says.
  void tell_name(Tracee tracee, std::uint64_t address) const {
    const auto put = [&](std::size_t offset, std::string_view text) {
      std::array<char, sizeof utsname::nodename> field = {};
      std::copy_n(text.data(), std::min(text.size(), field.size() - 1), field.data());
      tracee.write(address + offset, field.data(), field.size());
    };
    put(offsetof(utsname, nodename), hostname_);
    put(offsetof(utsname, domainname), "(none)");
  }

  Moment told() const {
    if (!clock_->runs) return {clock_->seconds, 0};
    const Moment real = now();
    return {real.seconds + clock_->seconds, real.nanoseconds};
  }

  // What the program calls this time is what the kernel calls the returned one.
  Moment meant(Moment time) const {
    time.seconds = std::clamp<std::int64_t>(time.seconds, 0, k_latest);
    time.seconds -= clock_->seconds;
    if (!clock_->runs) {
      const Moment real = now();
      time.seconds += real.seconds;
      time.nanoseconds += real.nanoseconds;
      if (time.nanoseconds >= 1'000'000'000) {
        time.nanoseconds -= 1'000'000'000;
        ++time.seconds;
      }
    }
    if (time.seconds < 0) return {};
    return time;
  }

  // timespec or timeval: seconds, and parts of them that have `unit` nanoseconds.
  void tell_time(Tracee tracee, std::uint64_t address, std::int64_t unit) {
    const Moment time = told();
    const std::int64_t parts[2] = {time.seconds, time.nanoseconds / unit};
    const bool wrote = tracee.write(address, parts, sizeof parts);
    tracee.answer(wrote ? 0 : -EFAULT);
    go_on(tracee);
  }

  void tell_time_and_zone(Tracee tracee, const std::array<std::uint64_t, 6>& arguments) {
    const struct ::timezone utc = {};
    if (arguments[1] != 0) tracee.write(arguments[1], &utc, sizeof utc);
    if (arguments[0] != 0) return tell_time(tracee, arguments[0], 1000);
    tracee.answer(0);
    go_on(tracee);
  }

  void tell_seconds(Tracee tracee, std::uint64_t address) {
    const std::int64_t seconds = told().seconds;
    const bool wrote = address == 0 || tracee.write(address, &seconds, sizeof seconds);
    tracee.answer(wrote ? seconds : -EFAULT);
    go_on(tracee);
  }

  // Arguments: the path, a buffer and its size.
  void tell_link(Tracee tracee, const std::uint64_t* arguments) const {
    const auto path = tracee.read_text(arguments[0], k_longest_link);
    const auto found = path ? own_link(tracee.id(), *path, root_) : std::nullopt;
    if (found && arguments[2] > 0) {
      const std::size_t size = std::min<std::size_t>(found->size(), arguments[2]);
      const bool wrote = tracee.write(arguments[1], found->data(), size);
      tracee.answer(wrote ? static_cast<std::int64_t>(size) : -EFAULT);
    }
    go_on(tracee);
  }

  // The time that is waited for lies in memory of the program's own, which may be
  // constant; so the call gets another one.
  void translate(Tracee tracee, unsigned number, std::uint64_t address) {
    std::int64_t parts[2] = {};
    const auto stack = tracee.stack_pointer();
    if (address == 0 || !stack || !tracee.read(address, parts, sizeof parts))
      return go_on(tracee);
    const Moment real = meant({parts[0], parts[1]});
    parts[0] = real.seconds;
    parts[1] = real.nanoseconds;
    const std::uint64_t scratch = (*stack - k_below_stack) & ~15ULL;
    if (!tracee.write(scratch, parts, sizeof parts) ||
        !tracee.set_argument(number, scratch))
      return go_on(tracee);
    Open open;
    open.argument.emplace(number, address);
    open_[tracee.id()] = open;
    await_result(tracee);
  }

  const std::optional<SandboxClock> clock_;
  const std::string hostname_;
  const std::string root_;  // of programs without a /proc
  std::atomic<bool>& missed_;
  std::map<pid_t, Open> open_;
  pid_t held_ = 0;
};

}  // namespace

Tracer::Tracer(pid_t program, const SandboxPlan& plan) {
  std::promise<int> seized;
  std::future<int> error = seized.get_future();
  // Who traces is a thread, not a process: no other may look after the tracees.
  thread_ = std::jthread([this, program, &plan, &seized] {
    Watch watch(plan, missed_);
    const bool works = ::ptrace(PTRACE_SEIZE, program, nullptr, k_options) == 0;
    seized.set_value(works ? 0 : errno);
    if (works) watch.run(program);
  });
  if (const int number = error.get(); number != 0) {
    throw Error(Errc::machine,
                std::string("no other clock can be given to programs here: "
                            "they cannot be traced: ") +
                    std::strerror(number))
        .add_hint(number == EPERM
                      ? "allow ptrace: `sudo sysctl kernel.yama.ptrace_scope=1`, "
                        "and in a container a filter of system calls that has it"
                      : "leave `clock: epoch` out of the step");
  }
}

Tracer::~Tracer() = default;

bool tells_links(const SandboxPlan& plan) {
  // Of another user's program we may see nothing, without CAP_SYS_PTRACE.
  return plan.level == SandboxLevel::chroot && plan.uid == 0 && can_trace();
}

bool tells_names(const SandboxPlan& plan) {
  return plan.level == SandboxLevel::chroot ? tells_links(plan)
                                            : !plan.own_name && can_trace();
}

}  // namespace lithify
