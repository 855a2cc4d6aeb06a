// processes: pieces of a test that run, and die, in a process of their own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <sys/wait.h>
#include <unistd.h>

// Runs `body`, which returns an exit status, in a fork. 99: it threw.
template <class Body>
pid_t start_process(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 99;
    try {
      status = body();
    } catch (const std::exception&) {
    }
    ::_exit(status);
  }
  return child;
}

// The exit status, or 128 + the signal that ended it.
inline int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
