// prepare: from the build file to a plan: what every building command does first.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/cli/epoch.h"
#include "builder/cli/wiring.h"
#include "builder/cli/workspace.h"
#include "builder/plan/build_plan.h"
#include "builder/resolve/resolver.h"

namespace lithify {

struct Prepared {
  Workspace workspace;
  Lock lock;                 // answers all of the recipe
  bool lock_is_new = false;  // and is not what stands in the file
  Epoch epoch;
  BuildPlan plan;
};

// Reads, resolves what the lock does not answer, and lowers. Writes nothing: the lock
// becomes a file when the command has succeeded. What the build writes, the store and the
// lock are no part of local sources that they lie in. Sources that are not there are told
// before anything is fetched.
Prepared prepare(Session& session, const std::vector<std::string>& images);

// A lock that answers the build file on all of its platforms, whatever --platform says.
Lock resolve_lock(Session& session, const Workspace& workspace, const Update& update);

// Tells what the lock does not answer and throws Reported{5}. `why` is for the headline:
// "running with --locked".
void refuse_stale(Session& session, const Workspace& workspace,
                  const std::vector<oci::Error>& unmet, const std::string& why);

// Warns of what stands in the lock though the build file cannot ask for it.
void tell_unused(Session& session, const Workspace& workspace);

// Throws Errc::bad_input if the lock was made with an encoder that this program does not
// have: layers would have other digests.
void check_encoders(const Recipe& recipe, const Workspace& workspace, const Lock& lock);

void write_lock(const Workspace& workspace, const Lock& lock);

}  // namespace lithify
