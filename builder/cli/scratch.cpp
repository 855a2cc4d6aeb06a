#include "builder/cli/scratch.h"

#include <cerrno>
#include <cstdlib>
#include <string>

#include "oci/base/error.h"

namespace lithify {

ScratchDirectory::ScratchDirectory(const std::filesystem::path& parent) {
  std::error_code problem;
  std::filesystem::create_directories(parent, problem);
  std::string name = (parent / "lithify-again-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw oci::write_error(errno, "making a directory in " + parent.string());
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code problem;
  std::filesystem::remove_all(path_, problem);
}

}  // namespace lithify
