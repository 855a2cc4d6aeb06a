// golden: compares a text with a file of tests/golden; LITHIFY_ACCEPT=1 rewrites it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/catch.h"

// `name` is relative to tests/golden: "cli/unknown_field.txt".
inline void check_golden(const std::string& name, const std::string& actual) {
  const auto path = std::filesystem::path(LITHIFY_SOURCE_DIR) / "tests/golden" / name;
  if (std::getenv("LITHIFY_ACCEPT") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << actual;
    WARN("accepted " << name);
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream expected;
  expected << file.rdbuf();
  INFO("golden file " << name << "; LITHIFY_ACCEPT=1 rewrites it");
  CHECK(actual == expected.str());
}
