// tree_path: a path as people write it for an image, as a tree has it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace lithify {

// "/srv/a/" is "srv/a", "/" is "". Errc::bad_input for ".." and what no layer can hold.
std::string tree_path(std::string_view image_path);

}  // namespace lithify
