// judge: what a test says of an image held against the image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "oci/image/manifest.h"
#include "oci/store/blob_store.h"

#include "builder/plan/commands.h"
#include "builder/plan/recipe.h"
#include "builder/test/test_result.h"
#include "builder/tree/tree.h"

namespace lithify {

// What `files`, `absent` and `max_size` of the test say of the whole tree of an image.
// Symlinks above a path are followed. At its end one is followed too when mode, owner,
// text or linkage are asked for without a type; `type: symlink` looks at the link, whose
// text is where it leads. Contents are read from `store`. Any thread.
std::vector<TestFinding> judge_tree(const TestRecipe& test, const Tree& tree,
                                    const oci::BlobStore& store);

std::vector<TestFinding> judge_config(const TestRecipe& test,
                                      const oci::ImageConfig& config);

// What came of the test's command, set-up and tear-down included.
std::vector<TestFinding> judge_commands(const TestRecipe& test,
                                        const SequenceResult& result);

// The commands of a test as the image's configuration has them run: its environment below
// theirs, its user and directory where they name none, ten minutes where they set no
// time; TestRecipe::expands is done.
CommandSequence commands_in(const TestRecipe& test, const oci::ImageConfig& config);

}  // namespace lithify
