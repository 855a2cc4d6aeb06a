#include "builder/cli/console.h"

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "builder/tell/error_document.h"

namespace lithify {

namespace {

bool can_draw(const Stream& stream, const Environment& environment) {
  return stream.is_terminal() && value_of(environment, "TERM").value_or("dumb") != "dumb";
}

// flag > NO_COLOR > FORCE_COLOR, CLICOLOR_FORCE > terminal
bool wants_colour(const Options& options, const Environment& environment,
                  const Stream& stream) {
  if (options.colour != When::automatic) return options.colour == When::always;
  if (value_of(environment, "NO_COLOR")) return false;
  for (const char* name : {"FORCE_COLOR", "CLICOLOR_FORCE"}) {
    const auto force = value_of(environment, name);
    if (force && *force != "0") return true;
  }
  return can_draw(stream, environment);
}

ProgressKind kind_of_progress(const Options& options, const Environment& environment,
                              const Stream& stream) {
  if (options.progress == ProgressKind::json) return ProgressKind::json;
  if (options.quiet > 0) return ProgressKind::quiet;
  if (options.progress != ProgressKind::automatic) return options.progress;
  const bool live = can_draw(stream, environment) && !value_of(environment, "CI");
  return live ? ProgressKind::tty : ProgressKind::plain;
}

// As tests and logs set it.
std::optional<int> told_columns(const Environment& environment, const Stream& stream) {
  const auto given = value_of(environment, "COLUMNS");
  if (stream.is_terminal() || !given) return std::nullopt;
  const auto columns = whole_number(*given);
  if (!columns) return std::nullopt;
  return static_cast<int>(*columns);
}

// Telling must not break doing: standard error may be closed, or its disk full.
template <class Body>
void quietly(Body body) noexcept {
  try {
    body();
  } catch (...) {
  }
}

}  // namespace

void Stream::write(oci::Bytes data) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd_, data.data(), data.size());
    if (written >= 0) {
      data = data.subspan(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw Reported{exits::k_reader_gone};
    } else if (errno != EINTR) {
      // No hint: where the stream goes is the caller's choice.
      throw oci::Error(oci::Errc::machine,
                       fmt::format("writing to {}: {}", name_,
                                   std::generic_category().message(errno)));
    }
  }
}

bool Stream::is_terminal() const {
  return isatty(fd_) == 1;
}

ProgressView::Size Stream::size() const {
  winsize window = {};
  if (ioctl(fd_, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return {100, 24};
  return {window.ws_col, window.ws_row == 0 ? 24U : window.ws_row};
}

Console::Console(const Options& options, const Environment& environment)
    : start_(std::chrono::steady_clock::now()),
      out_(STDOUT_FILENO, "standard output"),
      err_(STDERR_FILENO, "standard error"),
      quiet_(options.quiet),
      verbose_(options.verbose),
      agrees_(options.yes),
      colour_(wants_colour(options, environment, err_)),
      kind_(kind_of_progress(options, environment, err_)),
      told_columns_(told_columns(environment, err_)) {}

void Console::print(std::string_view text) {
  printed_ = true;
  out_.write(oci::as_bytes(text));
}

void Console::tell(std::string_view text) noexcept {
  quietly([&] {
    if (kind_ != ProgressKind::json) {
      end_progress();
      return err_.write(oci::as_bytes(text));
    }
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      tell_event({{"event", "message"}, {"text", text.substr(0, end)}});
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  });
}

void Console::tell(const oci::Error& error, Problem::Severity severity) noexcept {
  quietly([&] {
    const std::string text = render_error(error, texts_, style(), severity);
    if (!told_.insert(text).second) return;
    const bool warning = severity == Problem::Severity::warning;
    if (!warning) errors_.push_back(error);
    if (warning && quiet_ > 1) return;
    if (kind_ != ProgressKind::json) return tell(text);
    nlohmann::json event = described(error);
    event["event"] = "problem";
    event["severity"] = warning ? "warning" : "error";
    tell_event(std::move(event));
  });
}

void Console::tell_event(nlohmann::json event) {
  progress();  // its first line names the schema
  event["ms"] = elapsed().count();
  err_.write(oci::as_bytes(json_line(event)));
}

bool Console::confirms(const std::string& what) {
  if (agrees_ || !err_.is_terminal() || isatty(STDIN_FILENO) != 1) return true;
  tell(what + "? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

oci::ProgressReporter& Console::progress() {
  const std::lock_guard lock(progress_mutex_);
  if (progress_ != nullptr) return *progress_;
  ProgressView view{err_, [this] { return elapsed(); }, [this] { return err_.size(); }};
  view.colour = colour_;
  view.step_output = verbose_ > 0;
  view.warnings = quiet_ < 2;
  switch (kind_) {
    case ProgressKind::tty:
      progress_ = tty_progress(std::move(view));
      break;
    case ProgressKind::json:
      progress_ = json_progress(std::move(view));
      break;
    case ProgressKind::quiet:
      progress_ = quiet_progress(std::move(view));
      break;
    default:
      progress_ = plain_progress(std::move(view));
      break;
  }
  return *progress_;
}

void Console::end_progress() {
  const std::lock_guard lock(progress_mutex_);
  // JSON lines are one stream to the end of the program; nothing is drawn over.
  if (kind_ != ProgressKind::json) progress_.reset();
}

void Console::stopping() noexcept {
  const std::lock_guard lock(progress_mutex_);
  if (progress_ != nullptr) progress_->stopping();
}

std::chrono::milliseconds Console::elapsed() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start_);
}

Style Console::style() const {
  return {colour_, told_columns_.value_or(static_cast<int>(err_.size().columns))};
}

}  // namespace lithify
