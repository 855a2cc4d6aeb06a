// DirectoriesMade: the way to an output, which goes again if the output does not come.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

namespace lithify {

// Makes `directory` and what is missing above it. Unless keep() is called, the destructor
// removes what was made; directories that others use by then stay.
class DirectoriesMade {
 public:
  explicit DirectoriesMade(const std::filesystem::path& directory);
  ~DirectoriesMade();
  DirectoriesMade(const DirectoriesMade&) = delete;
  DirectoriesMade& operator=(const DirectoriesMade&) = delete;

  void keep() { made_.clear(); }

 private:
  std::vector<std::filesystem::path> made_;  // the lowest first
};

}  // namespace lithify
