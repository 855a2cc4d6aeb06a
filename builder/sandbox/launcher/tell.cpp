// tell: packets, so that messages of several processes never mix.
#include "builder/sandbox/launcher/tell.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lithify {

void tell(WireMessageKind kind, const char* text, int value, int error) {
  WireMessage message;
  message.kind = kind;
  message.value = value;
  message.error = error;
  message.length = static_cast<std::uint32_t>(::strnlen(text, sizeof message.text - 1));
  std::memcpy(message.text, text, message.length);
  while (::send(k_control_fd, &message, sizeof message, MSG_NOSIGNAL) < 0 &&
         errno == EINTR) {
  }
}

void fail(const char* doing, const char* what) {
  const int error = errno;
  char text[480];
  std::snprintf(text, sizeof text, "%s%s%s", doing, *what != 0 ? " " : "", what);
  tell(k_wire_failed, text, 0, error);
  _exit(125);
}

void wait_for_leave() {
  char byte = 0;
  ssize_t got = 0;
  while ((got = ::recv(k_control_fd, &byte, 1, 0)) < 0 && errno == EINTR) {
  }
  if (got != 1 || byte != 'g') _exit(125);
}

bool host_wants_end(int signal_fd, int milliseconds) {
  pollfd fds[2] = {{k_control_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};
  if (::poll(fds, 2, milliseconds) <= 0) return false;
  signalfd_siginfo info;
  while (fds[1].revents != 0 && ::read(signal_fd, &info, sizeof info) > 0) {
  }
  return fds[0].revents != 0;
}

}  // namespace lithify
