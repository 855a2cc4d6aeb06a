// gpgv: all its streams are files in memory, so that no pipe can fill up.
#include "builder/resolve/gpgv.h"

#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::Fd;

namespace {

constexpr std::uint64_t k_max_output = 64 << 20;
constexpr int k_status_fd = 3;

Fd memory_file(const char* name) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd.valid()) throw oci::errno_error(errno, "making a file in memory");
  return fd;
}

std::string content(Fd fd, const char* name) {
  oci::FileSource source(std::move(fd), name);
  return oci::read_all(source, k_max_output, name);
}

// posix_spawn's C object, owned.
class FileActions {
 public:
  FileActions() { check(::posix_spawn_file_actions_init(&actions_)); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void dup(int from, int to) {
    check(::posix_spawn_file_actions_adddup2(&actions_, from, to));
  }
  void open_null(int to) {
    check(::posix_spawn_file_actions_addopen(&actions_, to, "/dev/null", O_WRONLY, 0));
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  static void check(int error_number) {
    if (error_number != 0) throw oci::errno_error(error_number, "preparing gpgv");
  }
  posix_spawn_file_actions_t actions_;
};

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw oci::errno_error(errno, "waiting for gpgv");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int spawn_and_wait(const std::vector<std::string>& words, const FileActions& actions) {
  std::vector<char*> argv;
  for (const std::string& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  // Nothing of our environment: gpgv's words must not be translated, its home not used.
  char locale[] = "LC_ALL=C";
  char* environment[] = {locale, nullptr};
  pid_t child = 0;
  const int error_number =
      ::posix_spawnp(&child, argv[0], actions.get(), nullptr, argv.data(), environment);
  if (error_number == ENOENT) {
    throw Error(Errc::machine, words[0] +
                                   " is not installed: it checks the signatures of "
                                   "package archives")
        .add_hint("apt-get install gpgv");
  }
  if (error_number != 0) throw oci::errno_error(error_number, "starting " + words[0]);
  return wait_for(child);
}

}  // namespace

GpgvResult run_gpgv(const std::string& program, const std::vector<std::string>& keyrings,
                    std::string_view message) {
  Fd input = memory_file("message");
  oci::write_all(input.get(), oci::as_bytes(message), "a file in memory");
  if (::lseek(input.get(), 0, SEEK_SET) != 0) throw oci::errno_error(errno, "rewinding");
  Fd output = memory_file("signed text");
  Fd status = memory_file("gpgv's status");
  std::vector<std::string> words = {
      program,    "--homedir", "/nonexistent", "--status-fd", std::to_string(k_status_fd),
      "--output", "-"};
  for (const std::string& keyring : keyrings) {
    words.emplace_back("--keyring");
    words.push_back(keyring);
  }
  // Out of the way of 0 to 3, whose meaning the child changes one by one.
  const Fd in(::fcntl(input.get(), F_DUPFD_CLOEXEC, 10));
  const Fd out(::fcntl(output.get(), F_DUPFD_CLOEXEC, 10));
  const Fd report(::fcntl(status.get(), F_DUPFD_CLOEXEC, 10));
  if (!in.valid() || !out.valid() || !report.valid())
    throw oci::errno_error(errno, "preparing gpgv");
  FileActions actions;
  actions.dup(in.get(), 0);
  actions.dup(out.get(), 1);
  actions.open_null(2);
  actions.dup(report.get(), k_status_fd);
  GpgvResult result;
  result.exit_code = spawn_and_wait(words, actions);
  result.output = content(std::move(output), "signed text");
  result.status = content(std::move(status), "gpgv's status");
  return result;
}

}  // namespace lithify
