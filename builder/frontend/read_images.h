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

namespace lithify {

class ImageReader {
 public:
  ImageReader(const Node& file, const FrontendOptions& options, const Scope& scope,
              SourceReader& sources, Problems& problems);

  // In the order written. `project` names the image that has no name of its own.
  std::vector<ImageRecipe> read(const std::string& project);

 private:
  // One image of the file and how far it is read; a base is read before what stands on
  // it.
  struct Declared {
    std::string name;
    const Node* node = nullptr;
    oci::Place place;
    enum class State { fresh, reading, done } state = State::fresh;
    ImageRecipe recipe;
    std::vector<Accounts> accounts;  // after the steps of each variant
  };

  void declare(const std::string& project);
  void read_image(Declared& image);
  void read_variant(Declared& image, const oci::Platform& platform, const Scope& scope);
  From read_from(const Node& node, const oci::Platform& platform, const Scope& scope,
                 Accounts& accounts);
  From from_image(const Node& from, const oci::Platform& platform, Accounts& accounts);
  void report_cycle(const Declared& base, const Node& from);
  void report_unknown_image(const Node& from, const std::string& name);
  std::vector<oci::Platform> platforms_of(const Node& image, const Scope& scope);
  std::vector<oci::Platform> read_platforms(const Node& list, const Scope& scope);
  const Node* outputs_of(const Node& image) const;
  void check_output_paths(const std::vector<ImageRecipe>& images);

  const Node& file_;
  const FrontendOptions& options_;
  const Scope& scope_;
  SourceReader& sources_;
  Problems& problems_;
  std::vector<Declared> images_;
  std::vector<std::string> reading_;  // from the outermost image inward
};

}  // namespace lithify
