// lithify_file: the text of a lithify.yaml to a Recipe.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"

#include "builder/plan/recipe.h"

namespace lithify {

struct FrontendOptions {
  std::map<std::string, std::string> args;         // --arg k=v
  std::vector<oci::Platform> platforms;            // --platform; empty: the file's, else
                                                   // the host's
  std::map<std::string, std::string> environment;  // what args may name with env:
  std::map<std::string, std::string> git;  // "commit", "describe", "tag", if known
  std::string project;  // if the file gives no name; empty: the directory's
  // The build's epoch by the rule that the file gives, for $(epoch); empty: not known.
  std::function<std::int64_t(const EpochRule&)> epoch;
  // The text of a file that the build file names, relative to its directory; nullopt: it
  // cannot be read. Empty: none can.
  std::function<std::optional<std::string>(const std::string& path)> read_file;
};

struct Reading {
  std::optional<Recipe> recipe;   // only when no problem is an error
  std::vector<Problem> problems;  // sorted by place
};

// Pure: reads the text and nothing else. `file` is how the user named it, `directory`
// what its relative paths are relative to. Hostile text is a problem, never an exception.
Reading read_lithify_file(const std::string& file, const std::string& directory,
                          std::string_view text, const FrontendOptions& options);

// The JSON Schema (draft-07) of the file, for editors.
std::string json_schema();

}  // namespace lithify
