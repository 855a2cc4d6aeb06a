// zstd_stream: bytes that are no layer, as zstd frames and back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "oci/base/stream.h"

namespace oci {

// `from` in independent frames of 4 MiB each, as layers are: equal bytes on every machine
// with an equal encoder_identity(Compression::zstd).
std::unique_ptr<Source> zstd_compressed(std::unique_ptr<Source> from);

// What such frames hold. Unlike decompressed() it never guesses: what comes out may
// itself look compressed. Errc::bad_input for anything that is no zstd, ends too soon or
// wants a window over 8 MiB; how much comes out is for a verified() around it to limit.
// Reads `from` to its end. `name` stands for it in messages.
std::unique_ptr<Source> zstd_decompressed(std::unique_ptr<Source> from, std::string name);

}  // namespace oci
