// junit: results of tests in the form that CI systems show.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "builder/test/test_result.h"

namespace lithify {

// The tests of one image on one platform.
struct TestSuite {
  std::string name;  // "web", "web linux/arm64"
  std::vector<TestResult> results;
};

// JUnit's XML as surefire, GitLab and GitHub's actions read it: `testsuites`, a
// `testsuite` for each suite, a `testcase` for each test with `file` and `line`. What
// failed has `failure`; what was skipped or waived has `skipped` with the reason, because
// the form has no other word for a test that is no obstacle. Well-formed XML 1.0 whatever
// the results quote; characters that it forbids are spelled out.
std::string junit_xml(std::span<const TestSuite> suites);

}  // namespace lithify
