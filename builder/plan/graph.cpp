#include "builder/plan/graph.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

StepIndex Graph::add(Step step) {
  // Inputs are stored once each, so a digest of the index names an input as well as the
  // tree it will give.
  std::vector<oci::Digest> names;
  for (const StepIndex input : step.inputs) {
    if (input >= steps_.size()) {
      throw oci::Error(oci::Errc::internal,
                       fmt::format("a step names input {} of a graph of {} steps", input,
                                   steps_.size()));
    }
    names.push_back(oci::Digest::of(std::to_string(input)));
  }
  std::string document = key_document(step, names);
  // Two fetches of one digest from two places stay two steps: the first place may fail.
  if (const auto* fetch = std::get_if<Fetch>(&step.operation))
    document += fetch->location;
  // Likewise one command that the lock knows by two names: both are recorded.
  if (const auto* run = std::get_if<Run>(&step.operation)) document += run->lock_key;
  const auto [known, added] = known_.emplace(std::move(document), steps_.size());
  if (added) steps_.push_back(std::move(step));
  return known->second;
}

bool runs_commands(const Graph& graph) {
  const auto steps = graph.steps();
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    return std::holds_alternative<Run>(step.operation);
  });
}

std::set<std::string> caches_of(const Step& step) {
  std::set<std::string> ids;
  const auto* run = std::get_if<Run>(&step.operation);
  if (run == nullptr) return ids;
  for (const RunMount& mount : run->what.mounts) {
    if (mount.kind == RunMount::Kind::cache) ids.insert(mount.id);
  }
  return ids;
}

}  // namespace lithify
