#include "builder/cli/program.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

extern char** environ;

namespace lithify {

namespace {

std::string read_output(const oci::Fd& from, std::size_t most) {
  std::string output;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return output;
    const std::size_t room = most - output.size();
    output.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 127;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& argv, std::size_t most_output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw oci::errno_error(errno, "making a pipe");
  const oci::Fd read_end(ends[0]);
  oci::Fd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> words;
  for (const std::string& word : argv)
    words.push_back(const_cast<char*>(word.c_str()));  // posix_spawn does not write
  words.push_back(nullptr);
  pid_t child = 0;
  const int problem =
      posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  write_end = oci::Fd();
  if (problem != 0) return {};
  ProgramResult result;
  result.output = read_output(read_end, most_output);
  result.exit = wait_for(child);
  return result;
}

}  // namespace lithify
