// BuildPlan: the graph, and how the trees it gives become images. What lower() makes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci/base/descriptor.h"

#include "builder/plan/graph.h"
#include "builder/plan/recipe.h"

namespace lithify {

// An image whose layers are reused as they are.
struct BaseImage {
  std::string location;  // "layout:<directory>", "image:<domain>/<path>"
  oci::Descriptor manifest;
};

// One layer: the merged changes of these steps, in order.
struct LayerPlan {
  std::string name;     // for people: the layer: name, or the step's text
  std::string history;  // created_by
  std::vector<StepIndex> steps;
  bool by_package = false;         // may be split by origin within the image's budget
  std::vector<Place> places = {};  // of the steps, for messages
};

struct VariantPlan {
  oci::Platform platform;
  std::optional<BaseImage> base;  // none: from scratch
  std::vector<LayerPlan> layers;  // lowest first; those of an image:<name> base included
  // Configurations from the lowest image:<name> up to this one; applied in order.
  std::vector<ConfigChange> config;
  std::vector<Output> outputs;
  std::vector<TestRecipe> tests;
};

struct ImagePlan {
  std::string name;
  std::vector<VariantPlan> variants;  // more than one: an index
  std::map<std::string, std::string> annotations;
  Layering layering;
  std::vector<PushTarget> push;
  std::optional<SignRule> sign;
  RebuildCheck rebuild_check = RebuildCheck::never;
};

// A stage that something needs, for people.
struct StagePlan {
  std::string name;
  oci::Platform platform;  // of the images it is for
  oci::Platform runs_on;
};

struct BuildPlan {
  Graph graph;
  std::vector<StagePlan> stages;  // by name and platform
  std::vector<ImagePlan> images;
  std::int64_t epoch = 315532800;  // created, and the clamp of packaged times
};

}  // namespace lithify
