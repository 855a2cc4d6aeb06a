#include "builder/tell/text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace lithify {

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Marks that stand on the character before them.
constexpr Range k_combining[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x064B, 0x065F},
    {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948}, {0x0E31, 0x0E31},
    {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
    {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};

// East Asian wide and full-width characters, and pictures.
constexpr Range k_wide[] = {{0x1100, 0x115F},   {0x231A, 0x231B},   {0x2E80, 0x303E},
                            {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},
                            {0xA000, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},
                            {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                            {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
                            {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

// What changes how the rest of a line looks, or cannot be seen at all.
constexpr Range k_deceiving[] = {{0x0080, 0x009F},  {0x00AD, 0x00AD}, {0x061C, 0x061C},
                                 {0x180E, 0x180E},  {0x200B, 0x200F}, {0x2028, 0x202E},
                                 {0x2060, 0x206F},  {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB},
                                 {0xE0000, 0xE007F}};

template <std::size_t N>
bool in(const Range (&ranges)[N], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [c](const Range& r) { return r.first <= c && c <= r.last; });
}

std::size_t columns_of(const CodePoint& c) {
  if (!c.valid) return 1;
  if (in(k_combining, c.value)) return 0;
  return in(k_wide, c.value) ? 2 : 1;
}

std::size_t length_of_sequence(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Wraps one line that has no newline; `room` shrinks to `others` after the first.
void wrap_line(std::string_view text, std::size_t& room, std::size_t others,
               std::vector<std::string>& lines) {
  std::string line;
  std::size_t used = 0;
  bool fresh = true;  // no word on this line yet; spaces at its beginning are words
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t columns = display_width(word);
    if (!fresh && used + 1 + columns > room) {
      lines.push_back(std::move(line));
      line.clear();
      used = 0;
      fresh = true;
      room = others;
    }
    if (!fresh) {
      line += ' ';
      ++used;
    }
    fresh = false;
    line += word;
    used += columns;
  }
  lines.push_back(std::move(line));
  room = others;
}

}  // namespace

CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = length_of_sequence(byte(0));
  if (length == 1) return {byte(0), 1, true};
  if (length == 0 || text.size() < length) return {byte(0), 1, false};
  char32_t value = byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {byte(0), 1, false};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  const bool overlong =
      (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {byte(0), 1, false};
  return {value, length, true};
}

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = decode(text);
    if (c.valid && c.value == '\t') {
      out += "    ";
    } else if (!c.valid || c.value < 0x20 || c.value == 0x7F) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c.value));
    } else if (in(k_deceiving, c.value)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c.value));
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const CodePoint c = decode(text);
    columns += columns_of(c);
    text.remove_prefix(c.bytes);
  }
  return columns;
}

std::string_view fitting_prefix(std::string_view text, std::size_t columns) {
  std::size_t used = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint c = decode(text.substr(at));
    used += columns_of(c);
    if (used > columns) break;
    at += c.bytes;
  }
  return text.substr(0, at);
}

std::vector<std::string> wrap(std::string_view text, std::size_t first,
                              std::size_t others) {
  std::vector<std::string> lines;
  std::size_t room = first;
  for (;;) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    wrap_line(text.substr(0, end), room, others, lines);
    if (end == text.size()) return lines;
    text.remove_prefix(end + 1);
  }
}

std::string hanging(const std::string& head, std::string_view text, std::size_t columns) {
  const std::size_t indent = display_width(head);
  const std::size_t room = columns > indent + 20 ? columns - indent : 20;
  std::string out;
  for (const std::string& line : wrap(text, room, room)) {
    out += out.empty() ? head : "\n" + std::string(indent, ' ');
    out += line;
  }
  return out;
}

std::string human_size(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  static constexpr std::array k_units = {"kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit = 0;
  std::uint64_t scale = 1000;
  while (unit + 1 < k_units.size() && bytes / scale >= 1000) {
    scale *= 1000;
    ++unit;
  }
  const std::uint64_t whole = bytes / scale;
  if (whole >= 10) return fmt::format("{} {}", whole, k_units[unit]);
  return fmt::format("{}.{} {}", whole, bytes % scale * 10 / scale, k_units[unit]);
}

}  // namespace lithify
