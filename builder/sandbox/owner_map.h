// owner_map: where ids for a user namespace come from, and how they get there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <sys/types.h>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// The 65536 ids that root gives to a sandbox: if `apart`, some far from those of people
// and of other programs' containers; else, or in a namespace that has no others, the very
// same. Who may not mount needs the same: his other ids could not read his own paths.
std::optional<OwnerMap> root_owners(bool apart);

// Ourselves as 0, and our range of /etc/subuid and /etc/subgid behind. nullopt: there is
// none that is large enough.
std::optional<OwnerMap> range_owners();

// Ourselves as 0 and nobody else.
OwnerMap single_owner();

// Every id is itself: no user namespace.
OwnerMap same_owners();

// Gives the ids to the new user namespace of `process`, through newuidmap where we may
// not do it ourselves. Errc::machine says what refused.
void give_ids(pid_t process, const OwnerMap& owners);

// Whether a uid_map has 65536 ids from `first` on, in lines from which a namespace of
// ours can be given its two: the first id, and all behind it (user_namespaces(7): no line
// may reach over two of the outer namespace). So it is with the namespaces of rootless
// podman, whose map has these two lines.
bool has_range(std::string_view map, std::uint32_t first);

// The first range of at least 65535 ids that a file in the form of subuid(5) gives to the
// user.
struct SubordinateRange {
  std::uint32_t start = 0;
  std::uint32_t count = 0;
};
std::optional<SubordinateRange> find_subordinate(std::string_view file, uid_t user,
                                                 std::string_view name);

}  // namespace lithify
