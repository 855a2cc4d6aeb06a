#include "builder/plan/suggest.h"

#include <algorithm>
#include <numeric>
#include <span>

#include <fmt/format.h>

namespace lithify {

namespace {

// Nobody misspells more than this, and hostile files cannot make it slow.
constexpr std::size_t k_longest = 48;
constexpr std::size_t k_most_candidates = 256;
constexpr std::size_t k_least_beginning = 3;

std::size_t difference(std::string_view a, std::string_view b) {
  return std::max(a.size(), b.size()) - std::min(a.size(), b.size());
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_up(b.size() + 1), up(b.size() + 1), row(b.size() + 1);
  std::iota(up.begin(), up.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_up[j - 2] + 1);
    }
    two_up.swap(up);
    up.swap(row);
  }
  return up[b.size()];
}

void Suggestion::consider(std::string_view candidate) {
  if (std::max(candidate.size(), word_.size()) > k_longest ||
      difference(candidate, word_) > best_)
    return;
  const std::size_t edits = edit_distance(word_, candidate);
  if (edits < best_) {
    best_ = edits;
    nearest_ = candidate;
  } else if (edits == best_ && nearest_ != candidate) {
    nearest_.reset();
  }
}

namespace {

std::string lower(std::string_view word) {
  std::string text(word);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// The only one that begins with the word, or that the word begins with: `mem` is memory.
std::optional<std::string> continued(const std::string& word,
                                     std::span<const std::string> candidates) {
  std::optional<std::string> only;
  for (const std::string& candidate : candidates) {
    const std::size_t common = std::min(word.size(), candidate.size());
    if (common < k_least_beginning || word.compare(0, common, candidate, 0, common) != 0)
      continue;
    if (only) return std::nullopt;
    only = candidate;
  }
  return only;
}

}  // namespace

std::optional<std::string> suggest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  const std::span known(candidates.data(),
                        std::min(candidates.size(), k_most_candidates));
  Suggestion suggestion(word);
  for (const std::string& candidate : known)
    suggestion.consider(candidate);
  if (auto nearest = suggestion.nearest()) return nearest;
  if (word.size() > k_longest) return std::nullopt;
  const std::string small = lower(word);
  if (std::find(known.begin(), known.end(), small) != known.end()) return small;
  return continued(small, known);
}

std::string did_you_mean(std::string_view word,
                         const std::vector<std::string>& candidates) {
  const auto nearest = suggest(word, candidates);
  return nearest ? fmt::format("did you mean `{}`?", *nearest) : "";
}

}  // namespace lithify
