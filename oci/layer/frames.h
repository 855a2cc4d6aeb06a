// frames: where the tar of a layer is cut into pieces that are compressed on their own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace oci {

// The rule looks at paths and sizes and at nothing else, so that the same entries make
// the same frames, and a change moves only the cuts near it. oci/README.md, "Frames".
inline constexpr std::size_t k_min_frame = std::size_t{3} << 20;  // before a path's cut
inline constexpr std::size_t k_max_frame = std::size_t{6} << 20;  // small members end it
inline constexpr std::uint64_t k_piece = std::uint64_t{4} << 20;  // of a large content

// Whether a new frame starts before the member at `path`, whose header, content and
// padding have `member` bytes, when the open frame has `open` bytes.
bool cut_before(std::size_t open, std::string_view path, std::uint64_t member);

// Content bytes that may follow `offset` before the next cut inside the content.
inline std::uint64_t to_next_cut(std::uint64_t offset) {
  return k_piece - offset % k_piece;
}

}  // namespace oci
