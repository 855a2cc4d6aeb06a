// compress: one frame of a layer, compressed on its own. encoder_identity() lives here
// too. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "oci/base/digest.h"
#include "oci/layer/layer_writer.h"

namespace oci {

std::string_view layer_media_type(Compression compression);

// The most bytes that `size` bytes become.
std::size_t compress_bound(Compression compression, std::size_t size);

// Compresses `frame` as a whole zstd frame or gzip member, or copies it, into `into`,
// which has exactly compress_bound() bytes. Returns how many were used. The same bytes on
// every thread, every time.
std::size_t compress_frame(Compression compression, Bytes frame,
                           std::span<std::byte> into);

// A zstd frame with a check sum of its content, for what no digest will be compared with;
// else as compress_frame().
std::size_t compress_summed_frame(Bytes frame, std::span<std::byte> into);

}  // namespace oci
