#include "builder/run/pinned.h"

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/lock.h"
#include "builder/run/step_difference.h"

namespace lithify {

namespace {

constexpr std::size_t k_most_told = 20;

std::string line_of(const StepDifference& one) {
  switch (one.in) {
    case StepDifference::In::first:
      return fmt::format("/{}: it was there, and is not now", one.path);
    case StepDifference::In::second:
      return fmt::format("/{}: it was not there", one.path);
    case StepDifference::In::both:
      break;
  }
  std::string line = fmt::format("/{}: {} differs", one.path, one.what);
  if (!one.cause.empty()) line += "; cause: " + one.cause;
  if (!one.evidence.empty()) line += " (" + one.evidence + ")";
  return line;
}

}  // namespace

void hold_to_pin(const Step& step, const Tree& made, const oci::BlobStore& store,
                 const PinTools& tools) {
  const auto& run = std::get<Run>(step.operation);
  if (!run.pinned) {
    if (tools.found) tools.found(run.lock_key, made.digest());
    return;
  }
  if (made.digest() == *run.pinned) return;
  oci::Error error(
      oci::Errc::mismatch,
      fmt::format("`{}` made something else than the lock says", step.label));
  const auto before = tools.made_before ? tools.made_before(*run.pinned) : std::nullopt;
  if (before) {
    const auto differences = differences_between(*before, made, store);
    for (std::size_t i = 0; i < differences.size() && i < k_most_told; ++i)
      error.add_note(line_of(differences[i]));
    if (differences.size() > k_most_told)
      error.add_note(fmt::format("and {} more", differences.size() - k_most_told));
  } else {
    error.add_note("what it made before is not in the store, to be compared with");
  }
  error.add_note(fmt::format("it made {}, the lock says {}", made.digest().str(),
                             run.pinned->str()));
  throw error.add_hint(fmt::format(
      "what it fetches must stay the same; if it has changed on purpose: `lithify lock "
      "--update {}`, then build",
      owner_of(run.lock_key)));
}

}  // namespace lithify
