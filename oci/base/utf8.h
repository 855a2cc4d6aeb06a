// utf8: texts cut between characters.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace oci {

// The beginning of `text`, at most `most` bytes, without a character that does not fit.
inline std::string_view whole_characters(std::string_view text, std::size_t most) {
  std::size_t size = std::min(text.size(), most);
  const auto within_character = [&] {
    return size < text.size() && (static_cast<unsigned char>(text[size]) >> 6) == 2;
  };
  while (size > 0 && within_character())
    --size;
  return text.substr(0, size);
}

}  // namespace oci
