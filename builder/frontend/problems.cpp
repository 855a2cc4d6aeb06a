#include "builder/frontend/problems.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace lithify {

namespace {

constexpr std::size_t k_shown = 20;
constexpr std::size_t k_kept = 100;

auto position(const Problem& problem) {
  const oci::Place& place = problem.error.place();
  return std::tuple(place.line, place.column, problem.severity,
                    std::string_view(problem.error.what()));
}

}  // namespace

oci::Error offence(const char* id, oci::Place place, const std::string& message,
                   const std::string& label) {
  oci::Error error(oci::Errc::bad_input, message);
  error.number(id).at(std::move(place), label);
  return error;
}

void Problems::add(Problem::Severity severity, oci::Error error) {
  if (severity == Problem::Severity::error) ++errors_;
  if (all_.size() < 2 * k_kept) all_.push_back({severity, std::move(error)});
  if (errors_ >= k_kept) throw TooManyProblems();
}

std::vector<Problem> Problems::take() && {
  std::stable_sort(all_.begin(), all_.end(), [](const Problem& a, const Problem& b) {
    return position(a) < position(b);
  });
  const auto same = [](const Problem& a, const Problem& b) {
    return position(a) == position(b);
  };
  all_.erase(std::unique(all_.begin(), all_.end(), same), all_.end());
  std::vector<Problem> shown;
  std::size_t errors = 0;
  Problem* last = nullptr;
  shown.reserve(all_.size());
  for (Problem& problem : all_) {
    const bool is_error = problem.severity == Problem::Severity::error;
    if (is_error && ++errors > k_shown) continue;
    shown.push_back(std::move(problem));
    if (is_error) last = &shown.back();
  }
  if (errors > k_shown)
    last->error.add_note(fmt::format("{} more errors are not shown", errors - k_shown));
  return shown;
}

}  // namespace lithify
