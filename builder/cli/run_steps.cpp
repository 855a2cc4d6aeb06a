// run_steps: places of the build file are what a name and a step have in common.
#include "builder/cli/run_steps.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

namespace {

struct NamedRun {
  std::string owner;
  std::size_t number = 0;  // from 1
  std::string name;        // may be empty
  Place place;
};

template <class Owner>
void add_runs(const Owner& owner, std::vector<NamedRun>& runs) {
  for (const auto& variant : owner.variants) {
    for (const RecipeStep& step : variant.steps) {
      const auto* run = std::get_if<RunStep>(&step.verb);
      if (run == nullptr) continue;
      NamedRun named{owner.name, run->number + 1, step.name, step.place};
      const bool known = std::any_of(runs.begin(), runs.end(), [&](const NamedRun& one) {
        return one.owner == named.owner && one.number == named.number;
      });
      if (!known) runs.push_back(std::move(named));
    }
  }
}

std::vector<NamedRun> all_runs(const Recipe& recipe) {
  std::vector<NamedRun> runs;
  for (const StageRecipe& stage : recipe.stages)
    add_runs(stage, runs);
  for (const ImageRecipe& image : recipe.images)
    add_runs(image, runs);
  return runs;
}

bool same_place(const Place& one, const Place& other) {
  return one.file == other.file && one.line == other.line && one.column == other.column;
}

}  // namespace

std::vector<std::string> run_step_names(const Recipe& recipe) {
  std::vector<std::string> names;
  for (const NamedRun& run : all_runs(recipe))
    names.push_back(fmt::format("{}/{}", run.owner, run.number));
  return names;
}

std::vector<StepIndex> find_run_steps(const Recipe& recipe, const BuildPlan& plan,
                                      std::string_view name, std::string_view owner) {
  std::string_view step = name;
  if (const std::size_t slash = name.find('/'); slash != std::string_view::npos) {
    owner = name.substr(0, slash);
    step = name.substr(slash + 1);
  }
  bool known = false;
  std::vector<StepIndex> found;
  for (const NamedRun& run : all_runs(recipe)) {
    if (!owner.empty() && run.owner != owner) continue;
    if (step != std::to_string(run.number) && (step != run.name || step.empty()))
      continue;
    known = true;
    for (StepIndex i = 0; i < plan.graph.steps().size(); ++i) {
      const Step& candidate = plan.graph.step(i);
      if (std::holds_alternative<Run>(candidate.operation) &&
          same_place(candidate.place, run.place))
        found.push_back(i);
    }
  }
  if (!found.empty()) return found;
  oci::Error error(oci::Errc::bad_input,
                   known ? fmt::format("`{}` is not needed by what is built", name)
                         : fmt::format("there is no `run` step `{}`", name));
  const std::vector<std::string> names = run_step_names(recipe);
  throw error.add_hint(
      names.empty() ? "the build file has no `run` steps"
                    : fmt::format("the `run` steps are: {}", fmt::join(names, ", ")));
}

std::set<StepIndex> needed_by(const Graph& graph, const std::vector<StepIndex>& steps) {
  std::set<StepIndex> needed;
  std::vector<StepIndex> open = steps;
  while (!open.empty()) {
    const StepIndex next = open.back();
    open.pop_back();
    if (!needed.insert(next).second) continue;
    const std::vector<StepIndex>& inputs = graph.step(next).inputs;
    open.insert(open.end(), inputs.begin(), inputs.end());
  }
  return needed;
}

std::vector<StepIndex> steps_of(const ImagePlan& image) {
  std::vector<StepIndex> steps;
  for (const VariantPlan& variant : image.variants) {
    for (const LayerPlan& layer : variant.layers)
      steps.insert(steps.end(), layer.steps.begin(), layer.steps.end());
  }
  return steps;
}

std::string shell_name(const Recipe& recipe, const BuildPlan& plan, const Place& place) {
  const std::vector<NamedRun> runs = all_runs(recipe);
  const auto run = std::find_if(runs.begin(), runs.end(), [&](const NamedRun& one) {
    return same_place(one.place, place);
  });
  if (run == runs.end()) return "";
  for (const ImagePlan& image : plan.images) {
    for (const StepIndex step : needed_by(plan.graph, steps_of(image))) {
      if (same_place(plan.graph.step(step).place, place))
        return fmt::format("{}:{}/{}", image.name, run->owner, run->number);
    }
  }
  return "";
}

}  // namespace lithify
