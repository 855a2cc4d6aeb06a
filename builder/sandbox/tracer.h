// Tracer: tells a sandbox's programs another time of day than the real one, the names in
// directories in another order, and where they are themselves.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <future>
#include <optional>
#include <string>
#include <sys/types.h>
#include <thread>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// The C libraries read the time from a page of memory that the kernel gives to every
// program. Here each program is stopped once when it starts, by ptrace, and does not find
// that page; so it asks the kernel, the filter of system calls (Traced) stops it, and a
// thread of this process answers. It is no matter how the program was linked or in what
// it is written. What the thread does not answer runs at full speed.
//
// Not answered: times of files, /proc, sockets' time stamps, timers set to a time of day
// by timerfd or timer_settime. A time to wait until, of a futex or clock_nanosleep, is
// translated.
// Where there is no /proc (L1), it also tells programs what the links of /proc/self are
// that lead to themselves, since compilers find their libraries by them; and there, or
// where the kernel may not be given one, what the host's name is.
class Tracer {
 public:
  // Traces the process, which stops itself or has (k_wire_held), and all that comes from
  // it, until the last has ended. Errc::machine if the kernel does not let us.
  Tracer(pid_t program, const SandboxPlan& plan);
  // Waits for that end; whoever drops it has killed them before.
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // A program got the real time, since it could not be changed: its memory is not ours to
  // see. Any thread.
  bool missed() const { return missed_; }

 private:
  std::atomic<bool> missed_ = false;
  std::jthread thread_;
};

// Whether programs of the plan are told of those links: there is no /proc, and the kernel
// lets us trace, which is found out by doing it once. Any thread.
bool tells_links(const SandboxPlan& plan);

// Likewise of the host's name: nothing of the kernel's says SandboxPlan::hostname.
bool tells_names(const SandboxPlan& plan);

}  // namespace lithify
