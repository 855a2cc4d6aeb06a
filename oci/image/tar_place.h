// tar_place: whose header, and which field of it, stands at a byte of a tar.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "oci/base/stream.h"

namespace oci {

struct TarPlace {
  std::string member;  // its name as the header has it; empty: none
  // A field of the ustar header ("mode", "uname"), "pax record NAME" (also for the
  // length before it), "extended header", "content", "padding" or "end of the tar".
  std::string field;
};

// Reads `tar`, which is not compressed, no further than to `offset`. Only names a place:
// what is no tar gets some name too, and no error but those of the source.
TarPlace tar_place(Source& tar, std::uint64_t offset);

}  // namespace oci
