#include "builder/sandbox/idle_process.h"

#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lithify {

IdleProcess::IdleProcess() {
  const pid_t caller = ::getpid();
  id_ = ::fork();
  if (id_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Who is gone already sends no signal.
  while (::getppid() == caller)
    ::pause();
  ::_exit(0);
}

IdleProcess::~IdleProcess() {
  if (id_ < 0) return;
  ::kill(id_, SIGKILL);
  // __WALL: whoever traced it waits for it all the same.
  while (::waitpid(id_, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace lithify
