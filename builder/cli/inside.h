// inside: this program once more, as the root of the ids that a user's sandbox has.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/cli/wiring.h"

namespace lithify {

// What commands left in caches may belong to ids that are a user's only inside the map of
// his sandbox (run_as_owner): there this program does all of a command, from reading its
// words to telling how it ended. "internal inside OWNERS WORD…", which nobody types;
// OWNERS is cache_owners(). Takes the first three away; "" if they are not there.
std::string take_inside(std::vector<std::string>& words);

// Whose ids those caches have that commands here use: cache_owners(); empty where no
// command runs.
std::string owners_of_caches(const Session& session);

// Whether there is an inside for us: root needs none, and who is there is there.
bool may_go_inside(const Session& session);
// Runs the command of this session there; returns its exit status. Throws Cancelled after
// a stop, when all that it had begun has been removed.
int run_inside(Session& session);

}  // namespace lithify
