#include "builder/tell/tally.h"

namespace lithify {

Tally::Counts Tally::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Tally::started(oci::ActivityId id, oci::ActivityId parent,
                    std::string_view label) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (root_ == 0) {
      root_ = id;
    } else if (parent == root_) {
      children_.insert(id);
    }
  } catch (...) {
    // Not counted; telling must not break doing.
  }
  to_.started(id, parent, label);
}

void Tally::advanced(oci::ActivityId id, std::uint64_t done,
                     std::uint64_t total) noexcept {
  to_.advanced(id, done, total);
}

void Tally::output(oci::ActivityId id, std::string_view text) noexcept {
  to_.output(id, text);
}

void Tally::warned(oci::ActivityId id, std::string_view text) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (!warnings_.emplace(text).second) return;
  } catch (...) {
    // Then it is told twice.
  }
  to_.warned(id, text);
}

void Tally::ended(oci::ActivityId id, oci::Outcome outcome) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (children_.erase(id) > 0) {
      counts_.done += outcome == oci::Outcome::done ? 1 : 0;
      counts_.cached += outcome == oci::Outcome::cached ? 1 : 0;
    }
  }
  to_.ended(id, outcome);
}

}  // namespace lithify
