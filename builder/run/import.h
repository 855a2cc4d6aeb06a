// import: a local source as a tree.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/plan/step.h"
#include "builder/tree/capture.h"

namespace lithify {

// `now_ns` is when the step starts.
Tree perform_import(const Import& import, std::int64_t now_ns, const CaptureTools& tools);

}  // namespace lithify
