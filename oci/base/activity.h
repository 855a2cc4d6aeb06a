// Activity: what is being done now. One noun for progress bars, logs and traces.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace oci {

using ActivityId = std::uint64_t;
enum class Outcome { done, cached, failed };

// Receives events from any thread. Never throws: telling must not break doing.
class ProgressReporter {
 public:
  virtual ~ProgressReporter() = default;
  virtual void started(ActivityId id, ActivityId parent,
                       std::string_view label) noexcept = 0;
  // Bytes or items done; `total` 0 means unknown.
  virtual void advanced(ActivityId id, std::uint64_t done,
                        std::uint64_t total) noexcept = 0;
  virtual void output(ActivityId id, std::string_view text) noexcept = 0;
  // Something the user should know although the build goes on. One line, no full stop.
  virtual void warned(ActivityId id, std::string_view text) noexcept = 0;
  virtual void ended(ActivityId id, Outcome outcome) noexcept = 0;
};

// For tests and library users who want silence.
class SilentReporter final : public ProgressReporter {
 public:
  void started(ActivityId, ActivityId, std::string_view) noexcept override {}
  void advanced(ActivityId, std::uint64_t, std::uint64_t) noexcept override {}
  void output(ActivityId, std::string_view) noexcept override {}
  void warned(ActivityId, std::string_view) noexcept override {}
  void ended(ActivityId, Outcome) noexcept override {}
};

// A scope: forgetting to end it reports failure, which is the safe mistake. One thread at
// a time; children may live on other threads.
class Activity {
 public:
  Activity(ProgressReporter& to, std::string_view label) : Activity(to, 0, label) {}
  ~Activity() { to_.ended(id_, outcome_); }  // failed, unless someone says otherwise
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  Activity start(std::string_view label) { return Activity(to_, id_, label); }
  void advance(std::uint64_t done, std::uint64_t total) {
    to_.advanced(id_, done, total);
  }
  void output(std::string_view text) { to_.output(id_, text); }
  void warn(std::string_view text) { to_.warned(id_, text); }
  void end(Outcome outcome) { outcome_ = outcome; }
  Outcome outcome() const { return outcome_; }  // as it would end now

 private:
  Activity(ProgressReporter& to, ActivityId parent, std::string_view label) : to_(to) {
    to_.started(id_, parent, label);
  }
  static ActivityId next_id() {
    static std::atomic<ActivityId> last{0};
    return ++last;
  }

  ProgressReporter& to_;
  ActivityId id_ = next_id();
  Outcome outcome_ = Outcome::failed;
};

}  // namespace oci
