// text: how text from anywhere is shown on a terminal: escaped, measured, wrapped.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// One code point of UTF-8, or one byte of what is not UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = true;
};
CodePoint decode(std::string_view text);  // of its beginning; `text` is not empty

// Control, bidi and zero-width characters and broken UTF-8 in a form that a terminal does
// not obey: "\x1b", "\u202e". Tabs become four spaces. Newlines are escaped too.
std::string visible(std::string_view text);

// Columns that a terminal uses for `text`, which is visible() already. Wide characters
// take two, combining ones none. The same in every locale.
std::size_t display_width(std::string_view text);

// The longest prefix of `text` that takes at most `columns`.
std::string_view fitting_prefix(std::string_view text, std::size_t columns);

// Breaks at spaces so that the first line has at most `first` and the others `others`
// columns; a word that is longer stands alone and sticks out. Newlines break too.
std::vector<std::string> wrap(std::string_view text, std::size_t first,
                              std::size_t others);

// `head` and the text behind it, wrapped; further lines are indented as wide as `head`.
std::string hanging(const std::string& head, std::string_view text, std::size_t columns);

// "812", "4.1 kB", "38 MB": powers of 1000, two digits where they say something.
std::string human_size(std::uint64_t bytes);

}  // namespace lithify
