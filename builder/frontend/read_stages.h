// read_stages: the stages of a build file, each for the platforms that something needs it
// for. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/frontend/step_context.h"

namespace lithify {

class ImageReader;

// Images and stages that are being read, from the outermost inward: what one needs is
// read before it, and a circle would never end.
class ReadingChain {
 public:
  void enter(const std::string& name) { names_.push_back(name); }
  void leave() { names_.pop_back(); }
  bool has(const std::string& name) const;
  // Whether anything from `name` on is no image ("image:<name>").
  bool has_stage_since(const std::string& name) const;
  // "a → b → a", from the first `name` on.
  std::string circle(const std::string& name) const;

 private:
  std::vector<std::string> names_;
};

class StageReader {
 public:
  // `images` reads what a stage stands on.
  StageReader(const YamlNode& file, const Scope& scope, SourceReader& sources,
              ImageReader& images, Problems& problems);

  bool has(const std::string& name) const { return declared_.count(name) > 0; }
  std::vector<std::string> names() const;

  // The stage that a scalar names, for images of one platform. nullopt, and a report, for
  // a circle; what is wrong with the stage itself is reported once.
  struct Found {
    oci::Platform runs_on;
    bool by_target = false;    // it differs between the platforms of images
    const Accounts* accounts;  // after its steps
  };
  std::optional<Found> use(const YamlNode& name, const oci::Platform& platform);
  // A use that is not needed now: a step whose condition does not hold.
  void note_use(const std::string& name) { used_.insert(name); }

  // Reads the stages that nothing uses, so that their mistakes are found.
  void read_unused(const oci::Platform& platform);
  void warn_unused();
  // In the order written.
  std::vector<StageRecipe> take() &&;

 private:
  struct Variant {
    StageVariant recipe;
    Accounts accounts;
    bool by_target = false;
  };
  struct Declared {
    const YamlNode::Entry* entry = nullptr;
    StageRecipe recipe;
    std::map<std::string, Variant> variants;  // by platform
  };

  bool name_fits(const YamlNode& key);
  const Variant* variant(Declared& stage, const oci::Platform& platform);
  Variant read(Declared& stage, const oci::Platform& platform);
  void read_base(Variant& made, const YamlNode& node, const StepPlatforms& platforms,
                 bool on_builder);
  StepPlatforms platforms_for(const oci::Platform& target,
                              const oci::Platform& runs_on) const;

  std::vector<std::string> order_;
  std::map<std::string, Declared> declared_;
  std::set<std::string> used_;
  const Scope& scope_;
  SourceReader& sources_;
  ImageReader& images_;
  Problems& problems_;
};

// The names that $(platform.…) has for one.
Scope for_platform(Scope scope, const oci::Platform& platform);

}  // namespace lithify
