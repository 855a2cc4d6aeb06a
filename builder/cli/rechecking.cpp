// rechecking: from words and policies to steps of the graph.
#include "builder/cli/rechecking.h"

#include <map>

#include <fmt/format.h>

#include "builder/cli/run_steps.h"

namespace lithify {

namespace {

using Demand = Rechecks::Demand;

bool is_checked(const ImagePlan& image, bool pushes) {
  return image.rebuild_check == RebuildCheck::always ||
         (image.rebuild_check == RebuildCheck::on_push && pushes);
}

}  // namespace

std::unique_ptr<Rechecks> rechecks_of(const Prepared& prepared, const Options& options,
                                      bool pushes) {
  const BuildPlan& plan = prepared.plan;
  std::map<const Step*, Demand> demands;
  for (const ImagePlan& image : plan.images) {
    if (!is_checked(image, pushes)) continue;
    for (const StepIndex step : needed_by(plan.graph, steps_of(image)))
      demands[&plan.graph.step(step)] = Demand::once;
  }
  if (options.rebuild_check) {
    for (const Step& step : plan.graph.steps())
      demands[&step] = Demand::again;
  }
  for (const std::string& name : options.rebuild_checks) {
    for (const StepIndex step : find_run_steps(prepared.workspace.recipe, plan, name))
      demands[&plan.graph.step(step)] = Demand::again;
  }
  if (demands.empty()) return nullptr;
  return std::make_unique<Rechecks>([demands = std::move(demands)](const Step& step) {
    const auto found = demands.find(&step);
    return found == demands.end() ? Demand::none : found->second;
  });
}

std::string recheck_summary(const Rechecks& rechecks) {
  if (rechecks.count() == 0) return "check  no command had to be performed twice\n";
  std::string line =
      fmt::format("check  {} {} performed twice, with equal results", rechecks.count(),
                  rechecks.count() == 1 ? "command" : "commands");
  std::string missing;
  for (const Varied varied : rechecks.not_varied()) {
    if (varied == Varied::caches) continue;  // most have none
    missing += (missing.empty() ? "; not always varied: " : ", ");
    missing += name_of(varied);
  }
  return line + missing + "\n";
}

}  // namespace lithify
