// follow: where a path leads when the symlinks of a tree are followed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oci/base/error.h"

#include "builder/tree/tree.h"

namespace lithify {

enum class Missing { refuse, append };

// Where a directory goes that is laid on the symlink at `link`: a directory, or a path
// that is not there yet. Errc::bad_input that names both if it leads elsewhere.
std::string directory_behind(const Tree::Nodes& nodes, std::string_view link);

// Errc::bad_input for a path that something would have to stand below.
oci::Error no_directory(std::string_view path);

// Follows symlinks in every component, the last included, at most 40, never above the
// root. A component that is not there gives nullopt, or with Missing::append is taken as
// it is written. nullopt too for loops and for names below what is no directory.
std::optional<std::string> follow(const Tree::Nodes& nodes, std::string_view path,
                                  Missing missing);

}  // namespace lithify
