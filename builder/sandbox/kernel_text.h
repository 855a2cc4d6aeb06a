// kernel_text: lines and words of the files that the kernel shows, and of those like
// them. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string_view>

namespace lithify {

// Takes the first line off `text`, and gives it without its end; "" when none is left.
inline std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Takes the first word off `line`, with any of the separators before it; "" when none is
// left.
inline std::string_view next_word(std::string_view& line, std::string_view separators) {
  const std::size_t begin = std::min(line.find_first_not_of(separators), line.size());
  const std::size_t end = std::min(line.find_first_of(separators, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace lithify
