// run_tests: all tests of one image on one platform.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/digest.h"
#include "oci/image/manifest.h"
#include "oci/store/blob_store.h"

#include "builder/plan/commands.h"
#include "builder/plan/recipe.h"
#include "builder/test/test_result.h"
#include "builder/tree/tree.h"

namespace lithify {

// The image, and what running its tests may use. References outlive the call.
struct TestContext {
  const oci::ImageConfig& config;
  const oci::BlobStore& store;  // has the contents of the tree
  // All of the image's files. Called at most once, when the first test needs them.
  std::function<Tree()> tree;
  // Performs commands on a copy of the tree. Any thread, several at once.
  std::function<SequenceResult(const Tree& tree, const CommandSequence& commands,
                               oci::Activity& activity)>
      perform = {};
  // Whether the test of this key passed before, and that it has now. Empty: nothing is
  // remembered. One thread at a time.
  std::function<bool(const oci::Digest& key)> passed_before = {};
  std::function<void(const oci::Digest& key)> remember = {};
  std::function<std::chrono::milliseconds()> clock = {};  // for durations alone
  unsigned jobs = 1;
};

// Names what a test looks at, and what it wants of it: the image's layers by their
// content, its configuration without dates and history, and the test without name, place
// and waiver. So a new commit runs no test of an image that it did not change.
oci::Digest test_key(const TestRecipe& test, const oci::ImageConfig& config);

// One result for each test, in their order; at most `jobs` run at once. That a test fails
// is a result; that it cannot be judged (a full disk, a damaged store) is an Error. A
// stop throws Cancelled.
std::vector<TestResult> run_tests(std::span<const TestRecipe> tests,
                                  const TestContext& context, oci::Activity& activity,
                                  std::stop_token stop);

}  // namespace lithify
