// suggest: the name a person may have meant.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// The one candidate nearest to `word`, if it is within a third of the word's length; two
// at the same distance are no suggestion. A swap of neighbours counts as one edit.
std::optional<std::string> suggest(std::string_view word,
                                   const std::vector<std::string>& candidates);

// "did you mean `entrypoint`?", else "" .
std::string did_you_mean(std::string_view word,
                         const std::vector<std::string>& candidates);

}  // namespace lithify
