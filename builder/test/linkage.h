// linkage: how a program in an image is linked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oci/base/stream.h"

namespace lithify {

enum class Linkage {
  none,     // no ELF file, or one that is damaged
  fixed,    // needs neither a loader nor a library: it runs where there is nothing else
  dynamic,  // names a loader or a library
};

// Reads as far as the dynamic section, in bounded memory, whatever the header says (ELF,
// "Program Loading and Dynamic Linking").
Linkage linkage_of(oci::Source& file);

}  // namespace lithify
