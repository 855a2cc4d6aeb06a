// SourceText: the text of one file a person wrote, and the places in it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/base/error.h"

namespace lithify {

// Whether the text is well-formed UTF-8.
bool is_utf8(std::string_view text);

class SourceText {
 public:
  SourceText(std::string file, std::string_view text);

  const std::string& file() const { return file_; }
  std::string_view text() const { return text_; }
  std::string_view slice(std::size_t begin, std::size_t end) const;

  // The stretch of bytes as a Place; it ends with its first line.
  oci::Place place(std::size_t begin, std::size_t end) const;
  // The byte offset of a line and a column in code points, both from 1; clipped.
  std::size_t offset(int line, int column) const;
  // Where a line begins, from 1; past the last line: the end.
  std::size_t line_begin(int line) const;
  int line_count() const { return static_cast<int>(lines_.size()); }

  // Throws unless the text is UTF-8 without byte order mark, control characters other
  // than tab and line ends, and characters that change the direction of the writing.
  void check_characters() const;

 private:
  // Not a count from the start of the line: a hostile file is one long line.
  std::size_t code_points_before(std::size_t at) const;

  std::string file_;
  std::string text_;
  std::vector<std::size_t> lines_;
  std::vector<std::size_t> checkpoints_;  // code points before every 256th byte
};

}  // namespace lithify
