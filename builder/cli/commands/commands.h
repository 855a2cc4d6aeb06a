// commands: what each word after `lithify` does. One file a command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/cli/wiring.h"

namespace lithify {

// Each returns the exit code of the process and throws Error, Reported or Cancelled.
int run_build(Session& session);
int run_lock(Session& session);
int run_check(Session& session);
int run_plan(Session& session);
int run_test(Session& session);
int run_push(Session& session);
int run_pull(Session& session);
int run_copy(Session& session);
int run_tag(Session& session);
int run_join(Session& session);
int run_login(Session& session);
int run_logout(Session& session);
int run_doctor(Session& session);
int run_key(Session& session);
int run_sign(Session& session);
int run_attest(Session& session);
int run_verify(Session& session);
int run_sbom(Session& session);
int run_inspect(Session& session);
int run_diff(Session& session);
int run_reproduce(Session& session);
int run_cache(Session& session);
int run_shell(Session& session);
int run_schema(Session& session);
int run_version(Session& session);
int run_help(Session& session);

}  // namespace lithify
