// compare_layers: two layers, member by member.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "oci/base/stream.h"
#include "oci/image/compare.h"

namespace oci {

// Opens a layer's blob from its beginning, each time anew.
using OpenLayer = std::function<std::unique_ptr<Source>()>;

struct ComparedLayers {
  OpenLayer first;
  OpenLayer second;
  std::string name;  // for messages: "layer 2"
  std::stop_token stop = {};
};

// Calls `tell` with differences of the kinds encoding, member, header, content and
// framing, whose platform and layer are left for the caller to fill; at least one, unless
// both are the same bytes. Errc::bad_input for what is no layer; more than 500,000
// members in no order are refused so, too.
void compare_layers(const ComparedLayers& layers,
                    const std::function<void(ImageDifference)>& tell);

}  // namespace oci
