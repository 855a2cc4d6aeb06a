// tar: the headers of format 1's layer tar, byte by byte as oci/README.md writes them
// down. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "oci/layer/entry.h"

namespace oci {

inline constexpr std::size_t k_tar_block = 512;

// How many zero bytes follow `size` bytes of content.
inline std::size_t tar_padding(std::uint64_t size) {
  return static_cast<std::size_t>((k_tar_block - size % k_tar_block) % k_tar_block);
}

// The path that stands for the entry in the tar, without a directory's trailing slash:
// "a/.wh.b" for a whiteout of "a/b", "a/.wh..wh..opq" for an opaque "a". Members ascend
// by this, in plain byte order; "" (the root directory) comes first.
std::string member_path(const Entry& entry);

// What a tar is: a layer, or one in which ".wh." names are names like any other and times
// may have fractions.
enum class TarOf { layer, files };

// The header blocks of `entry`: a pax extended header where ustar does not suffice, then
// the ustar block. Errc::internal for an entry that breaks Entry's rules, Errc::bad_input
// for one that tar cannot hold (an xattr with '=' in its name, a device number over
// 2097151).
std::string tar_header(const Entry& entry, TarOf of = TarOf::layer);

// Whether `path` is one that Entry allows: "" or components without "", ".", "..", NUL.
bool is_clean_path(std::string_view path);

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace oci
