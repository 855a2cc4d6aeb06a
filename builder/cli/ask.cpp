#include "builder/cli/ask.h"

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
  std::string text;
  std::getline(std::cin, text);
  session.tell("\n");
  return oci::Secret(without_line_end(std::move(text)));
}

oci::Secret read_secret(const std::string& what) {
  std::string text(std::istreambuf_iterator<char>(std::cin), {});
  if (text.size() > k_most) {
    throw oci::Error(oci::Errc::bad_input, "standard input is too long for " + what);
  }
  return oci::Secret(without_line_end(std::move(text)));
}

}  // namespace lithify
