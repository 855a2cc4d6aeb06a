#include "builder/frontend/source_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"

namespace lithify {

namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

constexpr std::size_t k_block = 256;

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

struct Decoded {
  char32_t value = 0;
  std::size_t size = 0;  // 0: not UTF-8
};

// One code point, by the table of well-formed sequences of the Unicode standard.
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  char32_t value = lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (!continues(text[i])) return {};
    value = (value << 6) | (byte(i) & 0x3fU);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {value, size};
}

bool turns_writing(char32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

// Line separators that only some programs know would show other lines than we count.
bool is_control(char32_t c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c <= 0x9f) ||
         c == 0x2028 || c == 0x2029;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Decoded c = decode(text);
    if (c.size == 0) return false;
    text.remove_prefix(c.size);
  }
  return true;
}

SourceText::SourceText(std::string file, std::string_view text)
    : file_(std::move(file)), text_(text), lines_{0} {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (i % k_block == 0) checkpoints_.push_back(count);
    if (!continues(text_[i])) ++count;
    if (text_[i] == '\n') lines_.push_back(i + 1);
  }
  checkpoints_.push_back(count);
}

std::size_t SourceText::code_points_before(std::size_t at) const {
  if (at >= text_.size()) return checkpoints_.back();
  const std::size_t block = at / k_block;
  return checkpoints_[block] + code_points(slice(block * k_block, at));
}

std::string_view SourceText::slice(std::size_t begin, std::size_t end) const {
  begin = std::min(begin, text_.size());
  return text().substr(begin, std::max(begin, end) - begin);
}

oci::Place SourceText::place(std::size_t begin, std::size_t end) const {
  begin = std::min(begin, text_.size());
  const auto next = std::upper_bound(lines_.begin(), lines_.end(), begin);
  const std::size_t line_start = *(next - 1);
  std::string_view stretch = slice(begin, end);
  stretch = stretch.substr(0, stretch.find_first_of("\r\n"));
  const std::size_t before = code_points_before(begin) - code_points_before(line_start);
  return {file_, static_cast<int>(next - lines_.begin()), static_cast<int>(before) + 1,
          std::max(static_cast<int>(code_points(stretch)), 1)};
}

std::size_t SourceText::line_begin(int line) const {
  if (line < 1) return 0;
  const auto index = static_cast<std::size_t>(line - 1);
  return index < lines_.size() ? lines_[index] : text_.size();
}

std::size_t SourceText::offset(int line, int column) const {
  std::size_t at = line_begin(line);
  while (column > 1 && at < text_.size() && text_[at] != '\n') {
    ++at;
    while (at < text_.size() && continues(text_[at]))
      ++at;
    --column;
  }
  return at;
}

void SourceText::check_characters() const {
  const auto refuse = [this](std::size_t at, std::size_t size, const char* id,
                             const std::string& message) {
    oci::Error error(oci::Errc::bad_input, message);
    error.number(id).at(place(at, at + size));
    throw error;
  };
  for (std::size_t at = 0; at < text_.size();) {
    const Decoded c = decode(text().substr(at));
    if (c.size == 0) refuse(at, 1, code::k_encoding, "the file is not UTF-8");
    if (c.value == 0xfeff)
      refuse(at, c.size, code::k_encoding, "the file has a byte order mark");
    const bool lone_return =
        c.value == '\r' && (at + 1 == text_.size() || text_[at + 1] != '\n');
    if (is_control(c.value) || lone_return)
      refuse(at, c.size, code::k_character,
             fmt::format("control character U+{:04X}", static_cast<unsigned>(c.value)));
    if (turns_writing(c.value))
      refuse(
          at, c.size, code::k_character,
          fmt::format("U+{:04X} changes the direction of the writing and can hide what "
                      "a file says",
                      static_cast<unsigned>(c.value)));
    at += c.size;
  }
}

}  // namespace lithify
