// TestResult: what became of one test of an image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "builder/plan/recipe.h"

namespace lithify {

// One thing that is not as the test wants it. Texts are one line, printable UTF-8, and
// bounded: "the exit status", "0", "3".
struct TestFinding {
  Place place;          // of the test, or of the one file among several
  std::string subject;  // what was looked at
  std::string expected;
  std::string found;

  bool operator==(const TestFinding& other) const {
    return subject == other.subject && expected == other.expected && found == other.found;
  }
};

// "the exit status: expected 0, found 3"
std::string str(const TestFinding& finding);

struct TestResult {
  enum class Outcome {
    passed,
    failed,
    waived,  // failed, and the build file says why that is no obstacle
    skipped  // not run: `reason` says why
  };
  std::string name;
  Place place;
  Outcome outcome = Outcome::passed;
  bool remembered = false;            // passed, and run by an earlier build
  std::vector<TestFinding> findings;  // of what failed; never empty then
  // The last that the command wrote, several lines of printable UTF-8, when it failed.
  std::string out;
  std::string err;
  std::string reason;  // of what was skipped
  std::string cure;    // what to type, where there is something
  std::string waiver;  // the reason in the build file; may be given whatever came of it
  std::chrono::milliseconds took{0};
};

// Whether an image with this result may not be pushed.
bool stops_push(const TestResult& result);

// A test that was not run, as --skip-tests has them.
TestResult skipped(const TestRecipe& test, std::string reason, std::string cure = "");

}  // namespace lithify
