// IdleProcess: who has one may be killed at any moment.
#include "builder/sandbox/idle_process.h"

#include <csignal>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/catch.h"

using lithify::IdleProcess;

namespace {

// Kills a process of ours that has one. Its orphan comes to us.
void orphan_an_idle_process() {
  int ends[2] = {};
  REQUIRE(::pipe(ends) == 0);
  const pid_t maker = ::fork();
  if (maker == 0) {
    const IdleProcess idle;
    const pid_t id = idle.id();
    [[maybe_unused]] const auto told = ::write(ends[1], &id, sizeof id);
    while (true)
      ::pause();
  }
  pid_t idle = 0;
  REQUIRE(::read(ends[0], &idle, sizeof idle) == sizeof idle);
  ::kill(maker, SIGKILL);
  REQUIRE(::waitpid(maker, nullptr, 0) == maker);
  REQUIRE(::waitpid(idle, nullptr, 0) == idle);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace

TEST_CASE("an idle process ends with its object") {
  pid_t id = 0;
  {
    const IdleProcess idle;
    id = idle.id();
    REQUIRE(::kill(id, 0) == 0);
  }
  CHECK(::kill(id, 0) != 0);
}

TEST_CASE("an idle process does not outlive whoever is killed while it has one") {
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
  ::alarm(60);  // instead of waiting for ever
  for (int round = 0; round < 200; ++round)
    orphan_an_idle_process();
  ::alarm(0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}
