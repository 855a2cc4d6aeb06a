// tree_text: the canonical text of a tree, which is hashed and kept in the step cache.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/tree/tree.h"

namespace lithify {

// Errc::internal if there are local files.
std::string write_tree_text(const Tree::Nodes& nodes);

// The digest of that text, in which a local file stands with the digest of its content
// and without its place.
oci::Digest digest_of_tree_text(const Tree::Nodes& nodes);

// Throws Errc::bad_input that names the line.
Tree::Nodes read_tree_text(std::string_view text);

// The blobs that the text names, each once, without reading the rest. Throws
// Errc::bad_input if the text is no tree's at all.
std::vector<oci::Digest> blobs_of_tree_text(std::string_view text);

// Why this is no path of a tree; nullptr if it is one. "" is the root.
const char* path_problem(std::string_view path);

}  // namespace lithify
