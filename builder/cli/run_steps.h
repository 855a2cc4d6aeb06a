// run_steps: which commands of a build file a person means, and what a step needs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/plan/build_plan.h"
#include "builder/plan/recipe.h"

namespace lithify {

// The steps of the plan that `name` means: "OWNER/STEP", where OWNER is an image or a
// stage and STEP the number of a `run` in it, from 1 as written, or its `name:`. Without
// "OWNER/", of `owner`; if that is empty too, of any. For each platform one.
// Errc::bad_input with the names that there are if there is none, or it is not needed by
// what is built.
std::vector<StepIndex> find_run_steps(const Recipe& recipe, const BuildPlan& plan,
                                      std::string_view name, std::string_view owner = {});

// What find_run_steps() takes for the run steps of the recipe, in the order written.
std::vector<std::string> run_step_names(const Recipe& recipe);

// What `lithify shell` calls the run step that is written there: "IMAGE:OWNER/STEP", by
// the first image that needs it. "" if none does.
std::string shell_name(const Recipe& recipe, const BuildPlan& plan, const Place& place);

// The steps, and all that they need.
std::set<StepIndex> needed_by(const Graph& graph, const std::vector<StepIndex>& steps);

// The steps of an image's own layers on all its platforms.
std::vector<StepIndex> steps_of(const ImagePlan& image);

}  // namespace lithify
