// no_dumps: what the kernel is told about a process that holds secrets.
#include "builder/cli/no_dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/catch.h"

namespace {

// In a process of its own, since there is no way back. What `body` returns.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool makes_cores() {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  return limit.rlim_cur != 0 || limit.rlim_max != 0;
}

}  // namespace

TEST_CASE("a process with keys leaves no dump, one with tokens no core file") {
  CHECK(in_child([] {
          lithify::forbid_core_files();
          return makes_cores() ? 1 : ::prctl(PR_GET_DUMPABLE) == 1 ? 0 : 2;
        }) == 0);
  CHECK(in_child([] {
          lithify::forbid_dumps();
          return makes_cores() ? 1 : ::prctl(PR_GET_DUMPABLE) == 0 ? 0 : 2;
        }) == 0);
}
