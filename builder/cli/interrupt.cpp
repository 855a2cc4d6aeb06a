#include "builder/cli/interrupt.h"

#include <csignal>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

namespace lithify {

namespace {

// All that a signal handler may touch.
volatile std::sig_atomic_t came = 0;
volatile std::sig_atomic_t wake = -1;

void handle(int number) {
  if (came != 0) _exit(128 + number);
  came = number;
  const char byte = 1;
  [[maybe_unused]] const ssize_t ignored = write(wake, &byte, 1);
}

void install(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

}  // namespace

struct Interrupt::State {
  std::stop_source stop;
  std::function<void()> told;
  oci::Fd read_end;
  oci::Fd write_end;
  std::thread listener;

  void listen() {
    char byte = 0;
    if (read(read_end.get(), &byte, 1) != 1 || byte == 0) return;
    stop.request_stop();
    told();
  }
};

Interrupt::Interrupt(std::function<void()> told) : state_(std::make_unique<State>()) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw oci::errno_error(errno, "making a pipe");
  state_->told = std::move(told);
  state_->read_end = oci::Fd(ends[0]);
  state_->write_end = oci::Fd(ends[1]);
  came = 0;
  wake = ends[1];
  state_->listener = std::thread([state = state_.get()] { state->listen(); });
  install(SIGINT, handle);
  install(SIGTERM, handle);
}

Interrupt::~Interrupt() {
  install(SIGINT, SIG_DFL);
  install(SIGTERM, SIG_DFL);
  const char nothing = 0;
  [[maybe_unused]] const ssize_t ignored = write(state_->write_end.get(), &nothing, 1);
  state_->listener.join();
}

std::stop_token Interrupt::token() const {
  return state_->stop.get_token();
}
int Interrupt::signal() const {
  return came;
}

}  // namespace lithify
