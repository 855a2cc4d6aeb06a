#include "builder/cli/ask.h"

#include <cerrno>
#include <iostream>
#include <termios.h>
#include <unistd.h>

#include "oci/base/error.h"

namespace lithify {

namespace {

constexpr std::size_t k_most = 64 * 1024;

// The terminal as it was, whatever happens.
class NoEcho {
 public:
  NoEcho() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~NoEcho() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  return text;
}

// Past the library's buffers, which nobody wipes, and without growing, which would leave
// copies. A terminal gives a line at a time.
std::string read_unbuffered(bool one_line) {
  std::string text(k_most + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(STDIN_FILENO, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
    if (one_line && text[size - 1] == '\n') break;
  }
  text.resize(size);
  return without_line_end(std::move(text));
}

void need_terminal(const std::string& what, const std::string& hint) {
  if (isatty(STDIN_FILENO) == 1) return;
  throw oci::Error(oci::Errc::bad_input, "there is no terminal to ask for the " + what)
      .add_hint(hint);
}

}  // namespace

std::string ask_line(Session& session, const std::string& prompt,
                     const std::string& hint) {
  need_terminal(prompt, hint);
  session.tell(prompt + ": ");
  std::string text;
  std::getline(std::cin, text);
  return without_line_end(std::move(text));
}

oci::Secret ask_secret(Session& session, const std::string& prompt,
                       const std::string& hint) {
  need_terminal(prompt, hint);
  session.tell(prompt + ": ");
  const NoEcho silent;
  oci::Secret answer(read_unbuffered(true));
  session.tell("\n");
  return answer;
}

oci::Secret read_secret(const std::string& what) {
  oci::Secret secret(read_unbuffered(false));
  if (secret.reveal().size() > k_most) {
    throw oci::Error(oci::Errc::bad_input, "standard input is too long for " + what);
  }
  return secret;
}

}  // namespace lithify
