// testing: the tests of what a build packed, run and told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/image/manifest.h"
#include "oci/image/repository.h"

#include "builder/cli/attesting.h"
#include "builder/pack/assemble.h"
#include "builder/test/test_result.h"

namespace lithify {

// Those of one image on one platform.
struct TestedImage {
  std::string name;
  oci::Descriptor manifest;
  oci::Platform platform;
  bool of_several = false;  // the image has other platforms too
  std::vector<TestResult> results;
  // "web", or "web linux/arm64" for one of several.
  std::string title() const;
};

// Runs all tests of the images, in their order; with --skip-tests none. Images without
// tests are left out. What passed before is not run again, unless --no-cache says so.
std::vector<TestedImage> test_images(const BuildFacts& facts,
                                     const std::vector<PackedImage>& images);

// The same of one image that need not be what the facts' build made: `plan` has its tests
// and says what its files are. Completes `image`.
void test_image(const BuildFacts& facts, const VariantPlan& plan, TestedImage& image);

// Each failure as an error at its place, what was waived or could not be run as warnings;
// --junit replaces its file.
void tell_tests(Session& session, const std::vector<TestedImage>& images);

// The configuration that a manifest names.
oci::ImageConfig config_of(const oci::Repository& images, const oci::Descriptor& which);

struct TestCounts {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t waived = 0;
  std::size_t skipped = 0;
  std::size_t unwaived = 0;    // of those skipped
  std::size_t remembered = 0;  // of those passed
};
TestCounts count_tests(const std::vector<TestedImage>& images);

// "tests  5 passed, 1 failed · 3 known from before", and nothing without tests.
std::string tests_line(const std::vector<TestedImage>& images);

// Before the work: Errc::refused if a test that --skip-tests leaves out has no waiver.
void refuse_skipping(const BuildPlan& plan);

// Errc::refused if a test was not run and nothing in the build file says why that is no
// obstacle.
void refuse_untested(const std::vector<TestedImage>& images);

// What `lithify test` prints, a line for each test or the document of --json. Returns its
// exit code.
int report_tests(Session& session, const std::vector<TestedImage>& images);

}  // namespace lithify
