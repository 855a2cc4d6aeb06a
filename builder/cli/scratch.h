// ScratchDirectory: a directory of this process's own, gone with the object.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace lithify {

class ScratchDirectory {
 public:
  // Below `parent`, which is made if it is missing; only the user may look into it.
  explicit ScratchDirectory(const std::filesystem::path& parent);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace lithify
