#include "builder/deliver/directories_made.h"

#include "oci/base/error.h"

namespace lithify {

namespace fs = std::filesystem;

DirectoriesMade::DirectoriesMade(const fs::path& directory) {
  std::error_code problem;
  for (fs::path at = directory; !at.empty() && !fs::exists(at, problem);
       at = at.parent_path()) {
    made_.push_back(at);
  }
  if (made_.empty()) return;
  fs::create_directories(directory, problem);
  if (problem) {
    throw oci::write_error(problem.value(), "making directory " + directory.string());
  }
}

DirectoriesMade::~DirectoriesMade() {
  std::error_code ignored;
  for (const fs::path& directory : made_)
    fs::remove(directory, ignored);
}

}  // namespace lithify
