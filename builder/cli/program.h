// program: runs another program and takes what it prints.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lithify {

struct ProgramResult {
  int exit = 127;      // 127 too if it could not be started
  std::string output;  // as much as was asked for; what is more is read and dropped
};

// Searches PATH; input and errors are /dev/null. No shell is involved.
ProgramResult run_program(const std::vector<std::string>& argv,
                          std::size_t most_output = 64 * 1024);

}  // namespace lithify
