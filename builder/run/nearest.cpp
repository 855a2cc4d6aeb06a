#include "builder/run/nearest.h"

#include <algorithm>

#include "builder/plan/suggest.h"

namespace lithify {

namespace {

constexpr std::size_t k_longest = 200;  // longer paths are not compared letter by letter

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
      const std::size_t found = edit_distance(wanted, path);
      if (found < best_distance) {
        best = path;
        best_distance = found;
      }
    }
  }
  return best;
}

}  // namespace lithify
