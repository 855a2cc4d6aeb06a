// run_commands: commands one after another in one root, and what each of them wrote.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>

#include "oci/base/activity.h"
#include "oci/base/descriptor.h"
#include "oci/store/blob_store.h"

#include "builder/command/run_step.h"
#include "builder/plan/commands.h"
#include "builder/tree/tree.h"

namespace lithify {

// Where they run: in a copy of `tree`, which is gone afterwards.
struct CommandRoot {
  const Tree& tree;
  const oci::Platform& platform;
  oci::BlobStore& store;  // has the contents of the tree
  const RunTools& tools;
};

// In the sandbox that run steps have, without network, mounts and variables but those of
// the commands, HOME and PATH. A working directory that is not there is made, as
// container runtimes make it. Errc::machine if the disk is full or a sandbox that there
// is cannot be made; that there is none for such commands is SequenceResult::unable. Any
// thread.
SequenceResult perform_commands(const CommandSequence& commands, const CommandRoot& where,
                                oci::Activity& activity, std::stop_token stop);

}  // namespace lithify
