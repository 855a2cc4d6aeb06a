// console: what a run of the program says: standard output, errors, progress.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "oci/base/activity.h"
#include "oci/base/error.h"
#include "oci/base/stream.h"

#include "builder/cli/environment.h"
#include "builder/cli/options.h"
#include "builder/plan/recipe.h"
#include "builder/tell/progress.h"
#include "builder/tell/render_error.h"

namespace lithify {

// Thrown after what is wrong has been told: the process ends with this code.
struct Reported {
  int exit;
};

// A file descriptor as a sink that may be a terminal. Not buffered. Throws Reported when
// its reader went away: that is nothing to tell.
class Stream final : public oci::Sink {
 public:
  Stream(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  void write(oci::Bytes data) override;
  bool is_terminal() const;
  ProgressView::Size size() const;  // of the terminal; 100 columns if it is none

 private:
  int fd_;
  std::string name_;
};

// As options and environment ask for it. Of one thread, but for progress(), whose
// reporter may be used by all, and stopping().
class Console {
 public:
  Console(const Options& options, const Environment& environment);

  // The build files and locks that errors quote.
  SourceTexts& texts() { return texts_; }

  // Standard output: what was asked for, and nothing else.
  void print(std::string_view text);
  bool has_printed() const { return printed_; }
  void leave_printing() { printed_ = true; }  // to another process

  // Standard error, below the progress; as JSON lines with --progress json. What cannot
  // be told is lost: telling must not break doing. The same error is told once, a warning
  // not at all with -qq.
  void tell(std::string_view text) noexcept;
  void tell(const oci::Error& error, Problem::Severity severity) noexcept;
  const std::vector<oci::Error>& errors() const { return errors_; }  // that were told
  bool wants_summary() const { return quiet_ == 0; }
  // Asks a person at the terminal; where there is none, or with --yes, it is agreed.
  bool confirms(const std::string& what);

  // Progress is drawn from the first call until end_progress() or the end.
  oci::ProgressReporter& progress();
  void end_progress();
  // From any thread: the user asked for the end.
  void stopping() noexcept;

  std::chrono::milliseconds elapsed() const;  // since the console was made
  Style style() const;

 private:
  void tell_event(nlohmann::json event);

  std::chrono::steady_clock::time_point start_;
  Stream out_;
  Stream err_;
  int quiet_;
  int verbose_;
  bool agrees_;  // --yes
  bool colour_;
  ProgressKind kind_;                // not automatic
  std::optional<int> told_columns_;  // COLUMNS, where there is no terminal
  SourceTexts texts_;
  bool printed_ = false;
  std::set<std::string> told_;  // errors and warnings
  std::vector<oci::Error> errors_;
  std::mutex progress_mutex_;
  std::unique_ptr<Progress> progress_;
};

}  // namespace lithify
