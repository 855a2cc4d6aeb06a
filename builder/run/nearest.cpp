#include "builder/run/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace lithify {

namespace {

constexpr std::size_t k_longest = 200;  // longer paths are not compared letter by letter

// Letters to insert, drop, change or swap with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_before;
  std::vector<std::size_t> before;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    two_before = std::move(before);
    before = row;
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = before[j] + (a[i] == b[j] ? 0 : 1);
      row[j + 1] = std::min({row[j] + 1, before[j + 1] + 1, changed});
      if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j]) {
        row[j + 1] = std::min(row[j + 1], two_before[j - 1] + 1);
      }
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest_path(std::string_view wanted, const Tree& tree) {
  const std::string_view name = name_of(wanted);
  const std::size_t near =
      std::max<std::size_t>(1, std::min(wanted.size(), k_longest) / 4);
  std::optional<std::string> best;
  std::size_t best_distance = near + 1;
  for (const auto& [path, node] : tree.nodes()) {
    if (path.empty() || path.size() > k_longest || wanted.size() > k_longest) continue;
    const std::size_t difference = path.size() > wanted.size()
                                       ? path.size() - wanted.size()
                                       : wanted.size() - path.size();
    if (name_of(path) == name && (!best || best_distance > 1)) {
      best = path;
      best_distance = 1;
    } else if (difference < best_distance) {
      const std::size_t found = distance(wanted, path);
      if (found < best_distance) {
        best = path;
        best_distance = found;
      }
    }
  }
  return best;
}

}  // namespace lithify
