// edit_unpack: the parts of unpacking that copies with `unpack: true` share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "builder/run/edit.h"

namespace lithify {

struct UnpackRules {
  int strip = 0;
  std::string subdir;
  std::string name;  // for messages
};

// The members of an archive: owner 0:0, 0755 for directories and what its owner may
// execute, else 0644, no xattrs, the archive's own times up to Edit::clamp.
Tree::Nodes unpack_members(const Node& archive, const UnpackRules& rules,
                           const EditContext& context);

// The one regular file of a tree; `name` is for the message if there is another number.
const Node& only_file(const Tree& tree, std::string_view name);

// A regular node's bytes; no content is no bytes.
std::unique_ptr<oci::Source> open_node(const Node& node, const oci::BlobStore& store);

}  // namespace lithify
