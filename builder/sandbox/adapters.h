// adapters: the same plan in the words of other people's sandboxes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/sandbox/sandbox.h"

namespace lithify {

// Neither mounts an overlay of ours: a plan that has one is Errc::bad_input, as is what
// only one of them cannot do. `files` are where the contents of the plan's mounts of the
// kind `file` lie on the host, in their order.

// bubblewrap's words behind its own name. It knows one user, who is ourselves, and no
// limits: the root belongs to us (OwnerMap of L2). The filter of
// system calls is read from `filter_fd`.
std::vector<std::string> bwrap_words(const SandboxPlan& plan,
                                     const std::vector<std::string>& files,
                                     int filter_fd);

// config.json of the OCI runtime specification, canonical.
std::string runtime_config(const SandboxPlan& plan,
                           const std::vector<std::string>& files);

}  // namespace lithify
