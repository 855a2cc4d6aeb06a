// Pattern: a regular expression that always answers in linear time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// Literals, `.`, [a-z] and [^a-z], \d \w \s \D \W \S, groups, `|`, `*` `+` `?` {m} {m,}
// {m,n}; `^` only first and `$` only last, where they speak for the whole expression. No
// back references, so no input can make it slow. Counts bytes and knows ASCII alone.
class Pattern {
 public:
  // nullopt: not such an expression, or too large; `why` says what is wrong.
  static std::optional<Pattern> compile(std::string_view expression, std::string& why);

  // All of the text, whether or not there are `^` and `$`.
  bool matches(std::string_view text) const;
  // Some part of it; the part that begins or ends it with `^` or `$`.
  bool occurs_in(std::string_view text) const;

 private:
  friend class PatternCompiler;
  struct Instruction {
    enum class Op { byte, split } op = Op::byte;
    std::bitset<256> set = {};  // byte: what it accepts
    int first = 1;              // split: where to go, relative
    int second = 1;
  };
  using Program = std::vector<Instruction>;

  void add_state(std::vector<std::size_t>& states, std::vector<bool>& known,
                 std::size_t at) const;

  bool run(std::string_view text, bool from_begin, bool to_end) const;

  Program program_;        // its end accepts
  bool at_begin_ = false;  // `^`
  bool at_end_ = false;    // `$`
};

}  // namespace lithify
