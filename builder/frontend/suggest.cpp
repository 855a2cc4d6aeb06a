#include "builder/frontend/suggest.h"

#include <algorithm>

#include <fmt/format.h>

namespace lithify {

namespace {

// Nobody misspells more than this, and hostile files cannot make it slow.
constexpr std::size_t k_longest = 48;
constexpr std::size_t k_most_candidates = 256;

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_up, up(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    up[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_up[j - 2] + 1);
    }
    two_up = up;
    up = row;
  }
  return up[b.size()];
}

}  // namespace

std::optional<std::string> suggest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  if (word.size() > k_longest) return std::nullopt;
  std::size_t best = word.size() / 3 + 1;  // one more than is allowed
  std::optional<std::string> nearest;
  const std::size_t count = std::min(candidates.size(), k_most_candidates);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& candidate = candidates[i];
    const std::size_t longer = std::max(candidate.size(), word.size());
    if (longer > k_longest || longer - std::min(candidate.size(), word.size()) > best)
      continue;
    const std::size_t edits = distance(word, candidate);
    if (edits < best) {
      best = edits;
      nearest = candidate;
    } else if (edits == best && nearest != candidate) {
      nearest.reset();
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view word,
                         const std::vector<std::string>& candidates) {
  const auto nearest = suggest(word, candidates);
  return nearest ? fmt::format("did you mean `{}`?", *nearest) : "";
}

}  // namespace lithify
