// outputs: which file or directory gets which image, for which platforms.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/plan/build_plan.h"

namespace lithify {

// "oci=DIR" of the command line; the path is relative to the working directory.
Output parse_output(const std::string& text);

const char* name_of(Output::Kind kind);  // "oci-archive"

// One thing to write: the whole image, or one of its variants.
struct Destination {
  Output::Kind kind = Output::Kind::oci;
  std::filesystem::path path;  // absolute
  Place place;
  bool whole = true;        // the image as it is, an index if it has several platforms
  std::size_t variant = 0;  // of a destination that is not whole
};

// The outputs of the build file (relative to `directory`) and those of the command line,
// each once. A kind that holds one platform, asked for several under one path, is
// Errc::bad_input with a hint.
std::vector<Destination> destinations(const ImagePlan& image,
                                      const std::vector<Output>& further,
                                      const std::filesystem::path& directory);

// Errc::bad_input if two images would write one path that can hold only one.
void refuse_clashes(const std::vector<std::vector<Destination>>& of_images);

}  // namespace lithify
