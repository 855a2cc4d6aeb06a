// progress: what a build is doing, told to a terminal, to a log, or to a program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "oci/base/activity.h"
#include "oci/base/stream.h"

namespace lithify {

// How a reporter sees the world. All of it is used from several threads, one at a time.
struct ProgressView {
  oci::Sink& to;  // standard error; failures of it are ignored
  // Time since the program started.
  std::function<std::chrono::milliseconds()> clock;
  // Columns and rows of the terminal, asked before each drawing.
  struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };
  std::function<Size()> size = [] { return Size{}; };
  bool colour = false;
  bool step_output = false;  // show what steps print
  bool warnings = true;
};

// A reporter that the user may interrupt.
class Progress : public oci::ProgressReporter {
 public:
  // The user asked for the end: says so. What fails from now on was stopped.
  virtual void stopping() noexcept = 0;
};

// Each ends its drawing when it is destroyed, so that what follows stands below it.

inline constexpr std::string_view k_stopping =
    "stopping in order; press Ctrl-C again to stop at once";

// One line for each running item, redrawn at most ten times a second; what took a while
// scrolls up once when it ends.
std::unique_ptr<Progress> tty_progress(ProgressView view);

// Lines that stay: phases as they start, steps as they end, a sign of life every 30 s.
std::unique_ptr<Progress> plain_progress(ProgressView view);

// One JSON object a line: {"event":"started","id":1,"label":"…","ms":12,"parent":0}.
std::unique_ptr<Progress> json_progress(ProgressView view);

// Warnings only, if the view wants them.
std::unique_ptr<Progress> quiet_progress(ProgressView view);

}  // namespace lithify
