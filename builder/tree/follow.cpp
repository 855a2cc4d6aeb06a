#include "builder/tree/follow.h"

#include <vector>

#include <fmt/format.h>

namespace lithify {

namespace {

constexpr int k_max_links = 40;
constexpr std::size_t k_max_pending = 4096;

// Pushes the components of `path` so that the first is taken first.
void push_components(std::vector<std::string>& pending, std::string_view path) {
  std::size_t end = path.size();
  while (end > 0) {
    const std::size_t slash = path.rfind('/', end - 1);
    const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
    if (end > begin) pending.emplace_back(path.substr(begin, end - begin));
    if (begin == 0) break;
    end = begin - 1;
  }
}

}  // namespace

std::optional<std::string> follow(const Tree::Nodes& nodes, std::string_view path,
                                  Missing missing) {
  std::vector<std::string> pending;
  push_components(pending, path);
  std::string at;
  int links = 0;
  while (!pending.empty()) {
    const std::string component = std::move(pending.back());
    pending.pop_back();
    if (component == ".") continue;
    if (component == "..") {
      at = std::string(parent_of(at));
      continue;
    }
    std::string next = at.empty() ? component : at + "/" + component;
    const auto found = nodes.find(next);
    const bool absent =
        found == nodes.end() || found->second.type == oci::FileType::whiteout;
    if (absent && missing == Missing::refuse) return std::nullopt;
    if (!absent && found->second.type == oci::FileType::symlink) {
      const std::string& link = found->second.link;
      if (++links > k_max_links || pending.size() > k_max_pending) return std::nullopt;
      if (!link.empty() && link.front() == '/') at.clear();
      push_components(pending, link);
      continue;
    }
    if (!absent && !is_directory(found->second) && !pending.empty()) return std::nullopt;
    at = std::move(next);
  }
  return at;
}

std::string directory_behind(const Tree::Nodes& nodes, std::string_view link) {
  auto led = follow(nodes, link, Missing::append);
  if (led) {
    const auto target = nodes.find(*led);
    const bool absent =
        target == nodes.end() || target->second.type == oci::FileType::whiteout;
    if (absent || is_directory(target->second)) return std::move(*led);
  }
  throw oci::Error(oci::Errc::bad_input,
                   fmt::format("/{} is a symlink to {}, which is no directory, so "
                               "nothing can be placed below it",
                               link, nodes.find(link)->second.link));
}

oci::Error no_directory(std::string_view path) {
  return {oci::Errc::bad_input,
          fmt::format("/{} is a file, so nothing can be placed below it", path)};
}

}  // namespace lithify
