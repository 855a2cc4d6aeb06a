// edit_users: users and groups of the build file into /etc/passwd and its companions.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "oci/store/blob_store.h"

#include "builder/plan/recipe.h"
#include "builder/tree/tree.h"

namespace lithify {

// Both return the change that adds the accounts to `below`, the whole tree so far. A name
// or an id that is taken is Errc::bad_input. Files that are missing are made, with root
// as their first line; shadow and gshadow are kept up where they exist. Passwords are
// locked.
//
// A user whose gid no group has gets a group of the user's name. With create_home the
// home directory is made, 0700 and the user's own; nothing is copied into it, and one
// that exists stays as it is.
Tree add_users(const UsersStep& step, const Tree& below, oci::BlobStore& store,
               std::int64_t mtime);
Tree add_groups(const GroupsStep& step, const Tree& below, oci::BlobStore& store,
                std::int64_t mtime);

}  // namespace lithify
