// program: runs another program and takes what it prints.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace lithify {

struct ProgramResult {
  int exit = 127;      // 127 too if it could not be started
  std::string output;  // at most 64 kB
};

// Searches PATH; input and errors are /dev/null. No shell is involved.
ProgramResult run_program(const std::vector<std::string>& argv);

}  // namespace lithify
