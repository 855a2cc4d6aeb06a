#include "builder/plan/expand.h"

#include <algorithm>

namespace lithify {

namespace {

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         c == '_';
}

struct Reference {
  std::string name;
  std::size_t size = 0;  // of all of it, the "$" included
};

// `text` begins with a "$".
std::optional<Reference> reference_at(std::string_view text) {
  const std::size_t begin = text.substr(1).starts_with('{') ? 2 : 1;
  const auto end = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                    text.end(), is_of_name);
  const auto size = static_cast<std::size_t>(end - text.begin());
  if (size == begin) return std::nullopt;
  if (begin == 2 && (end == text.end() || *end != '}')) return std::nullopt;
  return Reference{std::string(text.substr(begin, size - begin)),
                   begin == 2 ? size + 1 : size};
}

}  // namespace

std::string expand_variables(std::string_view text, const VariableValue& value) {
  std::string made;
  while (!text.empty()) {
    const std::size_t before = std::min(text.find('$'), text.size());
    made += text.substr(0, before);
    text.remove_prefix(before);
    if (text.empty()) break;
    const auto reference = reference_at(text);
    const auto known = reference ? value(reference->name) : std::nullopt;
    const std::size_t size = reference ? reference->size : 1;
    made += known ? std::string_view(*known) : text.substr(0, size);
    text.remove_prefix(size);
  }
  return made;
}

}  // namespace lithify
