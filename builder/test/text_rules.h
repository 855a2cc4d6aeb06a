// text_rules: whether a text is what rules want, and how texts are quoted in findings.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/plan/recipe.h"
#include "builder/test/test_result.h"

namespace lithify {

// On one line: control characters and what is no UTF-8 escaped.
std::string printable(std::string_view text);

// The same in double quotes, with the middle of what is long left out.
std::string quoted(std::string_view text);

// The last lines of an output, several at most, long ones cut, with a note where
// something is left out. Printable UTF-8; empty for an empty text.
std::string last_lines(std::string_view text, bool is_cut);

// A text, or its beginning where `size` is more than that.
struct JudgedText {
  std::string_view text;
  std::uint64_t size = 0;
};

// One finding for each rule that does not hold. Of a text that is cut no rule holds that
// would have to look at the rest of it.
void judge_text(const std::vector<TextRule>& rules, const JudgedText& text,
                const TestFinding& about, std::vector<TestFinding>& findings);

}  // namespace lithify
