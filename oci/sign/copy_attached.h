// copy_attached: signatures that are found by tags, taken along with an image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <stop_token>

#include "oci/base/activity.h"
#include "oci/base/descriptor.h"
#include "oci/image/referring_repository.h"

namespace oci {

// Adds the layers of the tags `.sig` and `.att` of the image, and of its platforms', to
// those tags of `to`, where others may have signed the same image: theirs stay. Returns
// how many layers were not there before. What a classic signature says about its
// reference stays what it was. Errc::bad_input if a tag names something else than
// signatures, or more than 1,000.
std::size_t copy_attached(const ReferringRepository& from, const Descriptor& root,
                          ReferringRepository& to, Activity& activity,
                          std::stop_token stop);

}  // namespace oci
