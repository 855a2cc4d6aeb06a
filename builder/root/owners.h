// owners: giving files to the users of an image, and taking them back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "oci/base/fd.h"

#include "builder/plan/recipe.h"
#include "builder/tree/tree.h"

namespace lithify {

// Owners by path; what is not there belongs to 0:0.
using Owners = std::map<std::string, Owner, std::less<>>;

// Those of a tree that are not 0:0.
Owners owners_of(const Tree& tree);

// Text of owners, and back: "uid gid path", each ended by a NUL. Errc::bad_input for what
// no such text is, more than 64 MiB included.
std::string owners_text(const Owners& owners);
Owners parse_owners(std::string_view text);

// Both are for the root of a user namespace, in a process of its own, because nobody else
// may give files away. Modes and file capabilities stay as they are.
void give_owners(const oci::Fd& root, const Owners& owners);
// Everything below `root` becomes 0:0. Returns whose it was.
Owners take_owners(const oci::Fd& root);

}  // namespace lithify
