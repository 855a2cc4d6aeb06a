// line_progress: plain lines for logs, JSON lines for programs, and silence.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "builder/tell/activity_book.h"
#include "builder/tell/progress.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr Milliseconds k_sign_of_life{30'000};
constexpr std::size_t k_widest = 100;  // columns of text of ours

// What all line reporters share: one lock, whole lines, and no exception out of them.
class LineReporter : public Progress {
 public:
  explicit LineReporter(ProgressView view) : view_(std::move(view)) {}

 protected:
  template <class Body>
  void locked(Body body) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      body();
    } catch (...) {
      // Telling must not break doing.
    }
  }

  std::string warning(std::string_view text) const {
    return hanging("warning: ", visible(text), std::min(k_widest, view_.size().columns));
  }

  void line(const std::string& text) { view_.to.write(oci::as_bytes(text + "\n")); }

  const ProgressView view_;
  std::mutex mutex_;
};

class PlainProgress final : public LineReporter {
 public:
  explicit PlainProgress(ProgressView view)
      : LineReporter(std::move(view)),
        ticker_([this](std::stop_token stop) { tick(stop); }) {}

  void started(oci::ActivityId id, oci::ActivityId parent,
               std::string_view label) noexcept override {
    locked([&] {
      const RunningActivity& activity = book_.start(id, parent, label, view_.clock());
      if (activity.depth == 0) line("start  " + activity.label);
    });
  }

  void advanced(oci::ActivityId id, std::uint64_t done,
                std::uint64_t total) noexcept override {
    locked([&] { book_.advance(id, done, total); });
  }

  void output(oci::ActivityId, std::string_view text) noexcept override {
    if (!view_.step_output) return;
    locked([&] { line("       " + visible(text)); });
  }

  void warned(oci::ActivityId, std::string_view text) noexcept override {
    if (!view_.warnings) return;
    locked([&] { line(warning(text)); });
  }

  void stopping() noexcept override {
    locked([&] {
      stopping_ = true;
      line(std::string(k_stopping));
    });
  }

  void ended(oci::ActivityId id, oci::Outcome outcome) noexcept override {
    locked([&] {
      const auto activity = book_.end(id, outcome);
      if (!activity || outcome == oci::Outcome::cached) return;
      if (activity->depth > 1 && outcome != oci::Outcome::failed) return;
      line(end_line(*activity, outcome));
    });
  }

 private:
  std::string end_line(const RunningActivity& activity, oci::Outcome outcome) const {
    const char* failed = stopping_ ? "stopped " : "failed ";
    std::string text = outcome == oci::Outcome::failed ? failed : "done   ";
    text += activity.label + "  " + human_duration(view_.clock() - activity.since);
    if (activity.cached > 0) text += fmt::format("  ({} from cache)", activity.cached);
    return text;
  }

  void tick(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      ticking_.wait_for(lock, stop, k_sign_of_life, [] { return false; });
      if (!stop.stop_requested()) tell_running();
    }
  }

  void tell_running() noexcept {
    try {
      for (const auto& [id, activity] : book_.running()) {
        if (activity.children > 0) continue;
        std::string text = "still  " + activity.label + "  " +
                           human_duration(view_.clock() - activity.since);
        const std::string advance = human_advance(activity);
        line(advance.empty() ? text : text + "  " + advance);
      }
    } catch (...) {
      // Telling must not break doing.
    }
  }

  ActivityBook book_;
  bool stopping_ = false;
  std::condition_variable_any ticking_;
  std::jthread ticker_;  // last: it uses all of the above
};

class JsonProgress final : public LineReporter {
 public:
  explicit JsonProgress(ProgressView view) : LineReporter(std::move(view)) {
    locked([&] { line(R"({"schema":"lithify.progress/1"})"); });
  }

  void started(oci::ActivityId id, oci::ActivityId parent,
               std::string_view label) noexcept override {
    locked([&] { event("started", id, {{"label", label}, {"parent", parent}}); });
  }
  void advanced(oci::ActivityId id, std::uint64_t done,
                std::uint64_t total) noexcept override {
    locked([&] { event("advanced", id, {{"done", done}, {"total", total}}); });
  }
  void output(oci::ActivityId id, std::string_view text) noexcept override {
    locked([&] { event("output", id, {{"text", text}}); });
  }
  void warned(oci::ActivityId id, std::string_view text) noexcept override {
    locked([&] { event("warned", id, {{"text", text}}); });
  }
  void ended(oci::ActivityId id, oci::Outcome outcome) noexcept override {
    locked([&] { event("ended", id, {{"outcome", name_of(outcome)}}); });
  }
  void stopping() noexcept override {
    locked([&] {
      stopping_ = true;
      event("stopping", 0, {});
    });
  }

 private:
  const char* name_of(oci::Outcome outcome) const {
    switch (outcome) {
      case oci::Outcome::done:
        return "done";
      case oci::Outcome::cached:
        return "cached";
      case oci::Outcome::failed:
        break;
    }
    return stopping_ ? "stopped" : "failed";
  }

  void event(const char* name, oci::ActivityId id, nlohmann::json members) {
    members["event"] = name;
    members["id"] = id;
    members["ms"] = view_.clock().count();
    line(members.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }

  bool stopping_ = false;
};

class QuietProgress final : public LineReporter {
 public:
  using LineReporter::LineReporter;
  void started(oci::ActivityId, oci::ActivityId, std::string_view) noexcept override {}
  void advanced(oci::ActivityId, std::uint64_t, std::uint64_t) noexcept override {}
  void output(oci::ActivityId, std::string_view) noexcept override {}
  void warned(oci::ActivityId, std::string_view text) noexcept override {
    if (!view_.warnings) return;
    locked([&] { line(warning(text)); });
  }
  void ended(oci::ActivityId, oci::Outcome) noexcept override {}
  void stopping() noexcept override {}
};

}  // namespace

std::unique_ptr<Progress> plain_progress(ProgressView view) {
  return std::make_unique<PlainProgress>(std::move(view));
}
std::unique_ptr<Progress> json_progress(ProgressView view) {
  return std::make_unique<JsonProgress>(std::move(view));
}
std::unique_ptr<Progress> quiet_progress(ProgressView view) {
  return std::make_unique<QuietProgress>(std::move(view));
}

}  // namespace lithify
