// referrers: what points at an image, taken along when the image is copied.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <stop_token>

#include "oci/base/activity.h"
#include "oci/image/referring_repository.h"

namespace lithify {

// Copies what refers to `root` or, if it is an index, to an image of it; and what refers
// to that, up to depth 4 and 1,000 artifacts (more is Errc::bad_input). Returns how many.
// The image itself is in `to` already.
std::size_t copy_referrers(const oci::ReferringRepository& from,
                           const oci::Descriptor& root, oci::ReferringRepository& to,
                           oci::Activity& activity, std::stop_token stop);

}  // namespace lithify
