// layering: which changes become which layers. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/plan/build_plan.h"
#include "builder/tree/tree.h"

namespace lithify {

// What one layer will hold, ready to be written. An empty change is no layer, but has its
// line in the history.
struct LayerChange {
  std::string name;     // for people
  std::string history;  // created_by
  Tree change;
};

// The layers of a variant, lowest first. `results` are the trees of the graph's steps.
//
// From scratch, a directory that nobody declared is written in the first layer that needs
// it (0755, 0:0, 1980-01-01), and a whiteout only where a lower layer has the path. Over
// a base such directories are never written, and whiteouts always. A directory that is
// a symlink in a lower layer of ours is written, with what is in it, where that leads.
//
// A change that cannot be laid on what is below it, as a file below a file, is
// Errc::bad_input with its step's place. So, with a hint, are more layers than the budget
// allows.
std::vector<LayerChange> layer_changes(const VariantPlan& plan, const Layering& layering,
                                       std::span<const Tree> results);

// All layers of ours on each other: the root file system of an image from scratch, or
// what it adds to its base.
Tree merged_changes(const VariantPlan& plan, std::span<const Tree> results,
                    const Tree& base);

// `change` as at most `most` changes with nothing in common but directories: the largest
// packages alone, in order of their names, and the rest. Names of one file stay together.
std::vector<LayerChange> split_by_package(const LayerChange& layer, std::size_t most);

}  // namespace lithify
