// suggest: the name a person may have meant.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// How many letters must be inserted, dropped, changed or swapped with their neighbour to
// make one of the other (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// Looks at one candidate after another for the one that is nearest to a word, and within
// a third of its length. Two at the same distance are no suggestion. A word of more than
// 48 bytes has none.
class Suggestion {
 public:
  explicit Suggestion(std::string_view word)
      : word_(word), best_(word.size() / 3 + 1) {}  // one more than is allowed

  void consider(std::string_view candidate);
  const std::optional<std::string>& nearest() const { return nearest_; }

 private:
  std::string word_;
  std::size_t best_;
  std::optional<std::string> nearest_;
};

// The same for a list, of which the first 256 are looked at. Without a near one it is the
// word in small letters, or the only one that begins with it or that it begins with.
std::optional<std::string> suggest(std::string_view word,
                                   const std::vector<std::string>& candidates);

// "did you mean `entrypoint`?", else "" .
std::string did_you_mean(std::string_view word,
                         const std::vector<std::string>& candidates);

}  // namespace lithify
