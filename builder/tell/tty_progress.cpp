// tty_progress: the live view. The lower lines are redrawn, everything else stays.
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "builder/tell/activity_book.h"
#include "builder/tell/progress.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr Milliseconds k_redraw{100};
// What ended sooner than this is not worth a line that stays.
constexpr Milliseconds k_worth_telling{300};

class TtyProgress final : public Progress {
 public:
  explicit TtyProgress(ProgressView view)
      : view_(std::move(view)), ticker_([this](std::stop_token stop) { tick(stop); }) {}

  ~TtyProgress() override {
    ticker_.request_stop();
    ticker_.join();
    const std::lock_guard lock(mutex_);
    replace({});
  }

  void started(oci::ActivityId id, oci::ActivityId parent,
               std::string_view label) noexcept override {
    quietly([&] {
      const std::lock_guard lock(mutex_);
      book_.start(id, parent, label, view_.clock());
    });
  }

  void advanced(oci::ActivityId id, std::uint64_t done,
                std::uint64_t total) noexcept override {
    quietly([&] {
      const std::lock_guard lock(mutex_);
      book_.advance(id, done, total);
    });
  }

  void output(oci::ActivityId, std::string_view text) noexcept override {
    if (!view_.step_output) return;
    quietly([&] {
      const std::lock_guard lock(mutex_);
      stay("  " + visible(text));
    });
  }

  void warned(oci::ActivityId, std::string_view text) noexcept override {
    if (!view_.warnings) return;
    quietly([&] {
      const std::lock_guard lock(mutex_);
      const std::size_t columns = std::min<std::size_t>(view_.size().columns, 100);
      const std::string told = hanging("warning: ", visible(text), columns);
      stay(paint("warning", "1;33") + told.substr(std::string_view("warning").size()));
    });
  }

  void ended(oci::ActivityId id, oci::Outcome outcome) noexcept override {
    quietly([&] {
      const std::lock_guard lock(mutex_);
      const auto activity = book_.end(id, outcome);
      if (activity) tell_end(*activity, outcome);
    });
  }

  void stopping() noexcept override {
    quietly([&] {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      stay(std::string(k_stopping));
    });
  }

 private:
  // Telling must not break doing: a closed terminal or no memory is not the build's end.
  template <class Body>
  static void quietly(Body body) noexcept {
    try {
      body();
    } catch (...) {
    }
  }

  void tick(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      ticking_.wait_for(lock, stop, k_redraw, [] { return false; });
      if (!stop.stop_requested()) quietly([this] { replace(live_lines()); });
    }
  }

  void tell_end(const RunningActivity& activity, oci::Outcome outcome) {
    const Milliseconds took = view_.clock() - activity.since;
    if (outcome == oci::Outcome::failed) {
      // What failed because something below it failed adds nothing to the story.
      if (activity.ended == 0 || activity.depth > 0) {
        stay(ended_line(stopping_ ? paint("-", "1;33") : paint("✗", "1;31"), activity,
                        took, stopping_ ? "stopped " : ""));
      }
    } else if (outcome == oci::Outcome::done && took >= k_worth_telling &&
               activity.depth <= 1) {
      stay(ended_line(paint("✓", "1;32"), activity, took));
    }
  }

  std::string ended_line(const std::string& mark, const RunningActivity& activity,
                         Milliseconds took, const std::string& remark = "") const {
    return " " + mark + " " +
           in_columns(activity.label, remark + human_duration(took), 3);
  }

  // A label on the left, a remark at the right edge; the label is cut where they meet.
  std::string in_columns(const std::string& label, const std::string& remark,
                         std::size_t used) const {
    const std::size_t columns = std::min<std::size_t>(view_.size().columns, 120);
    const std::size_t right = display_width(remark) + 2;
    const std::size_t room = columns - std::min(columns - 1, used + right + 1);
    std::string left = label;
    if (display_width(left) > room) {
      left =
          std::string(fitting_prefix(left, room - std::min<std::size_t>(room, 1))) + "…";
    }
    const std::size_t fill = room - std::min(room, display_width(left));
    return left + std::string(fill + 2, ' ') + remark;
  }

  std::vector<std::string> live_lines() const {
    const Milliseconds now = view_.clock();
    std::vector<const RunningActivity*> leaves;
    for (const auto& [id, activity] : book_.running()) {
      if (activity.children == 0) leaves.push_back(&activity);
    }
    std::vector<std::string> lines;
    const std::size_t most = std::max<std::size_t>(view_.size().rows, 5) - 3;
    for (const RunningActivity* leaf : leaves) {
      if (lines.size() == most) {
        lines.push_back(fmt::format("   and {} more", leaves.size() - most));
        break;
      }
      lines.push_back(running_line(*leaf, now));
    }
    for (const auto& [id, activity] : book_.running()) {
      if (activity.depth == 0 && activity.children > 0) {
        lines.push_back(status_line(activity, now));
      }
    }
    return lines;
  }

  std::string running_line(const RunningActivity& activity, Milliseconds now) const {
    std::string remark = human_advance(activity);
    if (!remark.empty()) remark += "  ";
    remark += human_duration(now - activity.since);
    return " " + paint("▸", "1;36") + " " + in_columns(activity.label, remark, 3);
  }

  std::string status_line(const RunningActivity& phase, Milliseconds now) const {
    std::string remark;
    if (phase.total > 0) remark = human_advance(phase) + "  ";
    if (phase.total == 0 && phase.ended > 0)
      remark = fmt::format("{} done  ", phase.ended);
    return " " + in_columns(phase.label, remark + human_duration(now), 1);
  }

  std::string paint(std::string_view text, const char* code) const {
    return view_.colour ? fmt::format("\033[{}m{}\033[0m", code, text)
                        : std::string(text);
  }

  // Puts a line above the live ones, for good.
  void stay(const std::string& line) {
    const std::vector<std::string> below = drawn_;
    std::string text = erasure() + line + "\n";
    drawn_.clear();
    write(text);
    replace(below);
  }

  void replace(const std::vector<std::string>& lines) {
    if (lines == drawn_) return;
    std::string text = erasure();
    for (const std::string& line : lines)
      text += line + "\n";
    drawn_ = lines;
    write(text);
  }

  // To the first live line, and everything below it gone.
  std::string erasure() const {
    return drawn_.empty() ? "" : fmt::format("\033[{}A\r\033[J", drawn_.size());
  }

  void write(std::string_view text) {
    quietly([&] { view_.to.write(oci::as_bytes(text)); });
  }

  ProgressView view_;
  std::mutex mutex_;
  std::condition_variable_any ticking_;
  ActivityBook book_;
  std::vector<std::string> drawn_;
  bool stopping_ = false;
  std::jthread ticker_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<Progress> tty_progress(ProgressView view) {
  return std::make_unique<TtyProgress>(std::move(view));
}

}  // namespace lithify
