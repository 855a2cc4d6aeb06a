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
constexpr std::uint64_t k_max_keyring = 16 << 20;
constexpr int k_status_fd = 3;
constexpr int k_first_keyring_fd = 4;
constexpr int k_max_keyrings = 100;

Fd memory_file(const char* name) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd.valid()) throw oci::errno_error(errno, "making a file in memory");
  return fd;
}

std::string content(Fd fd, const char* name) {
  oci::FileSource source(std::move(fd), name);
  return oci::read_all(source, k_max_output, name);
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// The bytes inside RFC 4880's ASCII armor, its check sum left to gpgv's own checks of
// the keys; anything else as it is. gpgv reads binary keyrings only.
std::string without_armor(std::string text) {
  constexpr std::string_view k_begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
  const std::size_t begin = text.find(k_begin);
  if (begin == std::string::npos || begin > 4096) return text;
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  bool body = false;  // headers end with an empty line
  std::size_t at = text.find('\n', begin);
  while (at != std::string::npos) {
    const std::size_t end = text.find('\n', at + 1);
    std::string line = text.substr(at + 1, end - at - 1);
    at = end;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.rfind("-----END", 0) == 0 || line.rfind('=', 0) == 0) break;
    if (line.empty()) body = true;
    for (const char c : body ? line : std::string()) {
      const int value = base64_value(c);
      if (value < 0) break;
      bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffffff;
      if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 0xff);
    }
  }
  return bytes;
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

// Out of the way of 0 to 3, whose meaning the child changes one by one.
Fd moved_up(const Fd& fd) {
  Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, k_first_keyring_fd + k_max_keyrings));
  if (!moved.valid()) throw oci::errno_error(errno, "preparing gpgv");
  return moved;
}

Fd filled_file(const char* name, std::string_view text) {
  Fd fd = memory_file(name);
  oci::write_all(fd.get(), oci::as_bytes(text), name);
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) throw oci::errno_error(errno, "rewinding");
  return moved_up(fd);
}

}  // namespace

GpgvResult run_gpgv(const std::string& program, const std::vector<std::string>& keyrings,
                    std::string_view message) {
  if (keyrings.size() > k_max_keyrings)
    throw Error(Errc::bad_input, "more than 100 keyrings are named");
  const Fd input = filled_file("message", message);
  Fd output = moved_up(memory_file("signed text"));
  Fd status = moved_up(memory_file("gpgv's status"));
  std::vector<std::string> words = {
      program,    "--homedir", "/nonexistent", "--status-fd", std::to_string(k_status_fd),
      "--output", "-"};
  FileActions actions;
  actions.dup(input.get(), 0);
  actions.dup(output.get(), 1);
  actions.open_null(2);
  actions.dup(status.get(), k_status_fd);
  std::vector<Fd> keys;
  for (const std::string& keyring : keyrings) {
    const int fd = k_first_keyring_fd + static_cast<int>(keys.size());
    keys.push_back(
        filled_file("keyring", without_armor(oci::read_file(keyring, k_max_keyring))));
    actions.dup(keys.back().get(), fd);
    words.emplace_back("--keyring");
    words.push_back("/dev/fd/" + std::to_string(fd));
  }
  GpgvResult result;
  result.exit_code = spawn_and_wait(words, actions);
  result.output = content(std::move(output), "signed text");
  result.status = content(std::move(status), "gpgv's status");
  return result;
}

}  // namespace lithify
