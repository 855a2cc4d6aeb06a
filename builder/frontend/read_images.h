// read_images: the images of a build file, each for each of its platforms.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/frontend/accounts.h"
#include "builder/frontend/interpolate.h"
#include "builder/frontend/lithify_file.h"
#include "builder/frontend/read_sources.h"
#include "builder/frontend/read_stages.h"

namespace lithify {

class ImageReader {
 public:
  ImageReader(const YamlNode& file, const FrontendOptions& options, const Scope& scope,
              SourceReader& sources, Problems& problems);

  // In the order written. `project` names the image that has no name of its own.
  std::vector<ImageRecipe> read(const std::string& project);
  StageReader& stages() { return stages_; }

  // What a `from` that names no stage means to what is built for a platform.
  struct Standing {
    const oci::Platform& platform;
    const Scope& scope;
    bool in_stage = false;  // images for the builder's platform are as good
  };
  From read_from(const YamlNode& from, const Standing& standing, Accounts& accounts);
  ReadingChain& chain() { return chain_; }
  void report_circle(const YamlNode& from, const Place& start);

 private:
  // One image of the file and how far it is read; a base is read before what stands on
  // it.
  struct Declared {
    std::string name;
    const YamlNode* node = nullptr;
    oci::Place place;
    enum class State { fresh, reading, done } state = State::fresh;
    ImageRecipe recipe;
    std::vector<Accounts> accounts;  // after the steps of each variant
  };

  void declare(const std::string& project);
  void read_image(Declared& image);
  void refuse_name_of_stage(const YamlNode& key);
  void read_variant(Declared& image, const StepPlatforms& platforms);
  From read_base(const YamlNode& node, const StepPlatforms& platforms,
                 Accounts& accounts);
  From from_stage(const YamlNode& from, const oci::Platform& platform,
                  Accounts& accounts);
  void check_base(const YamlNode& from, const Source& source, bool in_stage);
  From from_image(const YamlNode& from, const oci::Platform& platform,
                  Accounts& accounts);
  Declared* image_named(const std::string& name);
  void report_bare_image(const YamlNode& from);
  void report_unknown_image(const YamlNode& from, const std::string& name);
  std::vector<oci::Platform> platforms_of(const YamlNode& image, const Scope& scope);
  std::vector<oci::Platform> read_platforms(const YamlNode& list, const Scope& scope);
  // An image's own field, else that of the whole file.
  const YamlNode* own_or_default(const YamlNode& image, std::string_view field) const;
  void check_output_paths(const std::vector<ImageRecipe>& images);

  const YamlNode& file_;
  const FrontendOptions& options_;
  const Scope& scope_;
  SourceReader& sources_;
  Problems& problems_;
  std::vector<Declared> images_;
  ReadingChain chain_;
  StageReader stages_;
};

}  // namespace lithify
