// call_filter: the system calls that no build needs, as a program for the kernel.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace lithify {

// Which socket families a program may use.
enum class Sockets {
  own_network,  // a network namespace keeps it apart from the host: all that know those
  local,        // the host's network is shared: none but AF_UNIX
  none,         // and nothing keeps the host's abstract names apart either
};

// Which calls stop the program for its tracer (tracer.h). Where there is none, they fail.
struct Traced {
  bool clock = false;        // what tells the time of day, or waits for one
  bool directories = false;  // what lists one
  bool links = false;        // what reads one
  bool names = false;        // what asks for the host's

  bool any() const { return clock || directories || links || names; }
  auto operator<=>(const Traced&) const = default;
};
// Which of them it is that stopped: what seccomp(2) hands to the tracer.
enum class TracedCall : std::uint16_t {
  clock_gettime = 1,
  gettimeofday,
  time,
  futex,            // that waits for a time of day
  clock_nanosleep,  // likewise
  getdents64,
  readlink,
  readlinkat,
  uname,
};

// The instructions (struct sock_filter) that seccomp(2) takes. Made once for each choice
// in the life of this process; making one costs as much as starting three sandboxes. Any
// thread. Errc::internal if libseccomp refuses.
const std::string& call_filter(Sockets sockets, const Traced& traced = {});

// The names of the system calls that are refused whatever their arguments, of those that
// this machine's libseccomp knows.
std::vector<std::string> refused_calls();

}  // namespace lithify
