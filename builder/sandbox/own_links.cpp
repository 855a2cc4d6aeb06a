#include "builder/sandbox/own_links.h"

#include <algorithm>
#include <array>
#include <climits>
#include <unistd.h>

namespace lithify {

namespace {

constexpr std::string_view k_self = "/proc/self/";
constexpr std::string_view k_descriptor = "fd/";
constexpr std::size_t k_most_digits = 9;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= k_most_digits &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::string> own_link(pid_t id, std::string_view path,
                                    std::string_view root) {
  if (!path.starts_with(k_self)) return std::nullopt;
  path.remove_prefix(k_self.size());
  const bool descriptor = path.starts_with(k_descriptor);
  const bool known = descriptor ? is_number(path.substr(k_descriptor.size()))
                                : path == "exe" || path == "cwd" || path == "root";
  if (!known) return std::nullopt;
  const std::string outside = "/proc/" + std::to_string(id) + "/" + std::string(path);
  std::array<char, PATH_MAX> buffer;
  const ssize_t size = ::readlink(outside.c_str(), buffer.data(), buffer.size());
  if (size <= 0 || static_cast<std::size_t>(size) == buffer.size()) return std::nullopt;
  const std::string_view found(buffer.data(), static_cast<std::size_t>(size));
  // A pipe and its like lie nowhere, and devices are opened before the root is changed.
  if (descriptor && (!found.starts_with('/') || found.starts_with("/dev/")))
    return std::string(found);
  if (!found.starts_with(root)) return std::nullopt;
  const std::string_view inside = found.substr(root.size());
  if (inside.empty()) return "/";
  if (!inside.starts_with('/')) return std::nullopt;
  return std::string(inside);
}

}  // namespace lithify
