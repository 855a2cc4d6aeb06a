// deb822: the stanzas of Debian's control files, indexes and release files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lithify {

struct Field {
  std::string_view name;   // as written; compared without regard to case
  std::string_view value;  // continuation lines included, trimmed at both ends
};

// One paragraph. Views into the text that was parsed.
class Stanza {
 public:
  const std::vector<Field>& fields() const { return fields_; }
  // Empty if it is not there.
  std::string_view get(std::string_view name) const;
  int line() const { return line_; }  // of the first field, from 1

 private:
  friend class Deb822Reader;
  std::vector<Field> fields_;
  int line_ = 0;
};

// Reads stanza after stanza from text that stays where it is. Comment lines (#) are
// skipped. Errc::bad_input with the place for a line that is neither a field nor a
// continuation, a field given twice, and more than 1,000 fields in a stanza.
class Deb822Reader {
 public:
  // `file` is for messages.
  Deb822Reader(std::string_view text, std::string file)
      : rest_(text), file_(std::move(file)) {}
  // False at the end.
  bool next(Stanza& stanza);

 private:
  std::string_view take_line();
  void add_line(Stanza& stanza, std::string_view line);
  [[noreturn]] void fail(const std::string& message) const;

  std::string_view rest_;
  std::string file_;
  int line_ = 0;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);
// Splits at white space, line ends included.
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace lithify
