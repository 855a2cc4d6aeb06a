// paragraphs: the form of dpkg's database and of Debian's copyright files: fields, with a
// blank line between paragraphs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace lithify {

// Views into the text that was read. Values keep their continuation lines, each with its
// leading white space, and are trimmed at both ends.
class Paragraph {
 public:
  // Empty if it is not there. Case does not matter.
  std::string_view get(std::string_view name) const;
  // The first line of the value.
  std::string_view first_line(std::string_view name) const;

  std::vector<std::pair<std::string_view, std::string_view>> fields;
};

// Calls `each` with one paragraph after another. False, after those before it, for text
// that is not of this form (deb822(5)): a line that is neither a field nor a continuation
// or comment, NUL, more than 1,000 fields in a paragraph.
bool read_paragraphs(std::string_view text,
                     const std::function<void(const Paragraph&)>& each);

}  // namespace lithify
