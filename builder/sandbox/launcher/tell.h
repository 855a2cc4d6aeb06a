// tell: what the launcher says to the host, and how it gives up.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/sandbox/launcher/wire.h"

namespace lithify {

// Sends one message; the text is cut at its limit. A host that is gone is no error.
void tell(WireMessageKind kind, const char* text = "", int value = 0, int error = 0);

// Says what failed, with errno, and ends this process. `what` follows after a space.
[[noreturn]] void fail(const char* doing, const char* what = "");

// The same if `result` is negative; else returns it.
template <class Number>
Number must(Number result, const char* doing, const char* what = "") {
  if (result < 0) fail(doing, what);
  return result;
}

// Waits for the host's one byte of leave; ends this process if the host is gone.
void wait_for_leave();

// True when the host asked for the end, or is gone. Waits up to `milliseconds`; -1: for
// ever, or until a signal for `signal_fd` (-1: none) is there.
bool host_wants_end(int signal_fd, int milliseconds);

}  // namespace lithify
