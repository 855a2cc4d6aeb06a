// Identity: who a command in a tree runs as.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/store/blob_store.h"

#include "builder/tree/tree.h"

namespace lithify {

struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // further ones, ascending
  std::string home = "/";
};

// `user` is "uid", "uid:gid", "name" or "name:group", as in an image's configuration (OCI
// image-spec, config.md, "User"). Names are those of the tree's own /etc/passwd and
// /etc/group; a number needs no entry there, and its group is then 0. Errc::bad_input for
// a name that is not there, with those that are.
Identity identity_in(const Tree& tree, std::string_view user,
                     const oci::BlobStore& store);

}  // namespace lithify
