#include "builder/attest/paragraphs.h"

#include <algorithm>

namespace lithify {

namespace {

constexpr std::size_t k_max_fields = 1000;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return text;
}

class Reader {
 public:
  Reader(std::string_view text, const std::function<void(const Paragraph&)>& each)
      : text_(text), each_(each) {}

  bool read() {
    if (text_.find('\0') != std::string_view::npos) return false;
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      if (!take(at, end)) return false;
      at = end + 1;
    }
    finish();
    return true;
  }

 private:
  bool take(std::size_t begin, std::size_t end) {
    const std::string_view line = text_.substr(begin, end - begin);
    if (trimmed(line).empty()) {
      finish();
      return true;
    }
    if (line.front() == '#') return true;
    if (line.front() == ' ' || line.front() == '\t') return extend(end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    if (one_.fields.size() == k_max_fields) return false;
    value_ = begin + colon + 1;
    one_.fields.emplace_back(trimmed(line.substr(0, colon)),
                             trimmed(line.substr(colon + 1)));
    return true;
  }

  bool extend(std::size_t end) {
    if (one_.fields.empty()) return false;
    one_.fields.back().second = trimmed(text_.substr(value_, end - value_));
    return true;
  }

  void finish() {
    if (!one_.fields.empty()) each_(one_);
    one_.fields.clear();
  }

  std::string_view text_;
  const std::function<void(const Paragraph&)>& each_;
  Paragraph one_;
  std::size_t value_ = 0;  // where that of the last field begins
};

}  // namespace

std::string_view Paragraph::get(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (same_name(key, name)) return value;
  }
  return {};
}

std::string_view Paragraph::first_line(std::string_view name) const {
  const std::string_view value = get(name);
  return trimmed(value.substr(0, value.find('\n')));
}

bool read_paragraphs(std::string_view text,
                     const std::function<void(const Paragraph&)>& each) {
  return Reader(text, each).read();
}

}  // namespace lithify
