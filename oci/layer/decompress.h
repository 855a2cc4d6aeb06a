// decompress: the bytes inside a compressed stream, whatever compressed them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "oci/base/stream.h"
#include "oci/layer/layer_reader.h"

namespace oci {

// What may be found around a stream; one compression at most. Streams that are not
// compressed pass as they are.
enum class Filters {
  layer,  // gzip and zstd
  all,    // and bzip2, xz, lzma, lzip, lz4, compress
};

// Reads `from` to its end before it reports its own, even past the end of the compressed
// stream, so that a verified() below sees every byte. Errc::bad_input for damage, for a
// stream compressed twice, and beyond limits.ratio; `name` stands for it in messages.
std::unique_ptr<Source> decompressed(std::unique_ptr<Source> from, Filters filters,
                                     std::string name, const ArchiveLimits& limits);

}  // namespace oci
