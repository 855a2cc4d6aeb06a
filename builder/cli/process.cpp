#include "builder/cli/process.h"

#include <csignal>
#include <fcntl.h>
#include <initializer_list>
#include <malloc.h>
#include <thread>
#include <unistd.h>

namespace lithify {

void hold_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is given, which is this one.
    const int other_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int opened = open("/dev/null", other_way);
  }
}

void survive_failing_writes() {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
  sigaction(SIGXFSZ, &ignore, nullptr);
}

void share_memory_between_threads() {
  // glibc's own limit is eight heaps a processor, each as large as it ever was.
  mallopt(M_ARENA_MAX, static_cast<int>(std::thread::hardware_concurrency()));
}

void give_back_memory() {
  malloc_trim(0);
}

}  // namespace lithify
