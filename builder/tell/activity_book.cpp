#include "builder/tell/activity_book.h"

#include <fmt/format.h>

#include "builder/tell/text.h"

namespace lithify {

const RunningActivity& ActivityBook::start(oci::ActivityId id, oci::ActivityId parent,
                                           std::string_view label, Milliseconds now) {
  RunningActivity activity;
  activity.id = id;
  activity.parent = parent;
  activity.label = visible(label);
  activity.since = now;
  const auto above = running_.find(parent);
  if (above != running_.end()) {
    activity.depth = above->second.depth + 1;
    ++above->second.children;
  }
  return running_.insert_or_assign(id, std::move(activity)).first->second;
}

void ActivityBook::advance(oci::ActivityId id, std::uint64_t done, std::uint64_t total) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  found->second.done = done;
  found->second.total = total;
}

std::optional<RunningActivity> ActivityBook::end(oci::ActivityId id,
                                                 oci::Outcome outcome) {
  const auto found = running_.find(id);
  if (found == running_.end()) return std::nullopt;
  RunningActivity activity = std::move(found->second);
  running_.erase(found);
  const auto above = running_.find(activity.parent);
  if (above != running_.end()) {
    --above->second.children;
    ++above->second.ended;
    above->second.cached += outcome == oci::Outcome::cached ? 1 : 0;
  }
  return activity;
}

std::string human_duration(Milliseconds time) {
  const auto tenths = time.count() / 100;
  if (tenths < 100) return fmt::format("{}.{}s", tenths / 10, tenths % 10);
  const auto seconds = tenths / 10;
  if (seconds < 60) return fmt::format("{}s", seconds);
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

std::string human_advance(const RunningActivity& activity) {
  if (activity.total == 0) {
    return activity.done == 0 ? "" : human_size(activity.done);
  }
  if (activity.total < 10000) {
    return fmt::format("{} of {}", activity.done, activity.total);
  }
  return fmt::format("{} of {}", human_size(activity.done), human_size(activity.total));
}

}  // namespace lithify
