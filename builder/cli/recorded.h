// Recorded: what a build is told instead of looking for it: texts and facts that another
// build had.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lithify {

struct Recorded {
  // Instead of the files; relative paths of the build file are still relative to where
  // Options::file lies.
  std::optional<std::string> build_file_text = {};
  std::optional<std::string> lock_text = {};
  // With a text of the build file: what it takes from its surroundings.
  std::string project = {};
  std::map<std::string, std::string> git = {};
  // Local sources that are somewhere else, by their names.
  std::map<std::string, std::filesystem::path> places = {};
  // No local source may be outside of this directory, unless `places` has it: a stranger
  // wrote the build file. Empty: any may.
  std::filesystem::path confined_to = {};
  // What else is no input, beside results: absolute paths.
  std::vector<std::filesystem::path> left_out = {};
  // Build though the encoder is not the lock's: diff ids are still to be compared.
  bool any_encoder = false;
};

}  // namespace lithify
