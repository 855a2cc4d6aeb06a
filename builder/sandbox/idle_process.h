// IdleProcess: something to try the kernel's favours on before a program needs them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

namespace lithify {

// A process of ours that does nothing. It ends with this object, and when the thread that
// made it does: a kill -9 of the caller leaves none behind.
class IdleProcess {
 public:
  IdleProcess();
  ~IdleProcess();
  IdleProcess(const IdleProcess&) = delete;
  IdleProcess& operator=(const IdleProcess&) = delete;

  // Negative if it could not be started.
  pid_t id() const { return id_; }

 private:
  pid_t id_;
};

}  // namespace lithify
