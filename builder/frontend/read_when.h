// read_when: the conditions of a step or a push.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/frontend/interpolate.h"

namespace lithify {

// Whether every argument that `when` names has one of the values it may have. An argument
// that nobody declared is reported.
bool arguments_hold(const YamlNode& when, const Scope& scope, Problems& problems);
// Whether the platform is one of those that `when` names, if it names any.
bool platform_holds(const YamlNode& when, const oci::Platform& platform);

}  // namespace lithify
