// HelperScripts: docker-credential-NAME programs in a directory that stands in PATH.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/temporary_directory.h"

// One at a time: PATH is the whole process's.
class HelperScripts {
 public:
  HelperScripts() : path_(std::getenv("PATH")) {
    ::setenv("PATH", (directory().string() + ":" + path_).c_str(), 1);
  }
  ~HelperScripts() { ::setenv("PATH", path_.c_str(), 1); }
  HelperScripts(const HelperScripts&) = delete;
  HelperScripts& operator=(const HelperScripts&) = delete;

  const std::filesystem::path& directory() const { return directory_.path(); }

  // A shell script. $dir is the directory, $1 the action.
  void add(const std::string& name, const std::string& body) {
    const std::filesystem::path file = directory() / ("docker-credential-" + name);
    std::ofstream(file) << "#!/bin/sh\ndir='" << directory().string() << "'\n" << body;
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }
  // Empty if there is no such file.
  std::string text(const std::string& name) const {
    std::ostringstream all;
    all << std::ifstream(directory() / name).rdbuf();
    return all.str();
  }

 private:
  TemporaryDirectory directory_;
  std::string path_;
};
