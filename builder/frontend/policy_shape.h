// policy_shape: what may stand in a policy file and in `verify:` of an image source.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/frontend/schema.h"

namespace lithify {

const Shape& policy_shape();        // the whole file
const Shape& verification_shape();  // `verify:`

}  // namespace lithify
