// clock_text: spellings of times as forms, since a regular expression over a stranger's
// bytes may take for ever.
#include "builder/compare/clock_text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace lithify {

namespace {

// y year, o month, a day, h hour, m minute and second: digits; M: the name of a month.
// Everything else is itself. The longest first: a time of day is part of others.
constexpr std::array<std::string_view, 16> k_forms = {"yyyy-oo-aaThh:mm:mm",
                                                      "yyyy-oo-aa hh:mm:mm",
                                                      "yyyy/oo/aa hh:mm:mm",
                                                      "yyyyooaaThhmmmm",
                                                      "yyyyooaa-hhmmmm",
                                                      "aa MMM yyyy hh:mm:mm",
                                                      "MMM aa hh:mm:mm",
                                                      "aa MMM yyyy",
                                                      "MMM aa, yyyy",
                                                      "MMM aa yyyy",
                                                      "aa/MMM/yyyy",
                                                      "yyyy-oo-aa",
                                                      "yyyy/oo/aa",
                                                      "aa.oo.yyyy",
                                                      "hh:mm:mm",
                                                      "hh:mm"};
constexpr std::string_view k_months = "JanFebMarAprMayJunJulAugSepOctNovDec";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct Range {
  char field;
  int least;
  int most;
};
constexpr std::array<Range, 5> k_ranges = {
    {{'y', 1970, 2100}, {'o', 1, 12}, {'a', 1, 31}, {'h', 0, 23}, {'m', 0, 60}}};

bool is_month(std::string_view name) {
  const std::size_t at = k_months.find(name);
  return at != k_months.npos && at % 3 == 0;
}

// One field of a form, as many digits as it has letters; seconds stand beside minutes.
bool fits_field(char field, std::string_view text) {
  if (field == 'M') return is_month(text);
  int value = 0;
  const bool padded = field == 'a' && text.front() == ' ';  // "Nov  6"
  if (padded) text.remove_prefix(1);
  if (!std::all_of(text.begin(), text.end(), is_digit)) return false;
  std::from_chars(text.data(), text.data() + text.size(), value);
  const auto range = std::find_if(k_ranges.begin(), k_ranges.end(),
                                  [&](const Range& one) { return one.field == field; });
  return value >= range->least && value <= range->most;
}

std::size_t field_width(char field) {
  return field == 'y' ? 4 : field == 'M' ? 3 : 2;
}

bool is_field(char c) {
  return c == 'M' || std::any_of(k_ranges.begin(), k_ranges.end(),
                                 [c](const Range& one) { return one.field == c; });
}

bool fits(std::string_view form, std::string_view text) {
  if (text.size() < form.size()) return false;
  for (std::size_t i = 0; i < form.size();) {
    if (!is_field(form[i])) {
      if (text[i] != form[i]) return false;
      ++i;
      continue;
    }
    const std::size_t width = field_width(form[i]);
    if (!fits_field(form[i], text.substr(i, width))) return false;
    i += width;
  }
  return true;
}

// A stretch of text that is not in the middle of a longer number.
bool stands_alone(std::string_view text, std::size_t start, std::size_t size) {
  const bool before = start > 0 && is_digit(text[start - 1]) && is_digit(text[start]);
  const std::size_t end = start + size;
  const bool behind = end < text.size() && is_digit(text[end]) && is_digit(text[end - 1]);
  return !before && !behind;
}

std::optional<ClockText> by_form(std::string_view a, std::string_view b,
                                 std::size_t parting) {
  for (const std::string_view form : k_forms) {
    const std::size_t first = parting + 1 > form.size() ? parting + 1 - form.size() : 0;
    for (std::size_t start = first; start <= parting; ++start) {
      if (start > a.size() || start > b.size()) break;
      if (!fits(form, a.substr(start)) || !fits(form, b.substr(start))) continue;
      if (!stands_alone(a, start, form.size()) || !stands_alone(b, start, form.size()))
        continue;
      return ClockText{std::string(a.substr(start, form.size())),
                       std::string(b.substr(start, form.size()))};
    }
  }
  return std::nullopt;
}

std::string_view number_at(std::string_view text, std::size_t place) {
  std::size_t start = place;
  while (start > 0 && is_digit(text[start - 1]))
    --start;
  std::size_t end = place;
  while (end < text.size() && is_digit(text[end]))
    ++end;
  return text.substr(start, end - start);
}

// Seconds, milliseconds, microseconds or nanoseconds since 1970, from 2001 to 2099.
bool is_epoch(std::string_view digits) {
  if (digits.size() < 10 || (digits.size() - 10) % 3 != 0 || digits.size() > 19)
    return false;
  std::int64_t seconds = 0;
  std::from_chars(digits.data(), digits.data() + 10, seconds);
  return seconds >= 1'000'000'000 && seconds < 4'102'444'800;
}

std::optional<ClockText> by_number(std::string_view a, std::string_view b,
                                   std::size_t parting) {
  const std::string_view first = number_at(a, parting);
  const std::string_view second = number_at(b, parting);
  if (first.size() != second.size() || !is_epoch(first) || !is_epoch(second))
    return std::nullopt;
  return ClockText{std::string(first), std::string(second)};
}

}  // namespace

std::optional<ClockText> clock_text(std::string_view before, std::string_view first,
                                    std::string_view second) {
  const std::string a = std::string(before) + std::string(first);
  const std::string b = std::string(before) + std::string(second);
  auto found = by_form(a, b, before.size());
  return found ? found : by_number(a, b, before.size());
}

std::string clock_field(std::string_view head, std::uint64_t offset) {
  struct Known {
    std::string_view magic;
    std::size_t at;
    std::uint64_t from, to;
    const char* name;
  };
  static constexpr std::array<Known, 3> k_known = {
      {{"\x1f\x8b", 0, 4, 8, "the time in the header of a gzip file"},
       {"\r\n", 2, 8, 12, "the time of the source in compiled Python"},
       {"PK\x03\x04", 0, 10, 14, "the time of a member of a zip file"}}};
  for (const Known& known : k_known) {
    if (head.size() < known.at + known.magic.size()) continue;
    if (head.substr(known.at, known.magic.size()) != known.magic) continue;
    if (offset >= known.from && offset < known.to) return known.name;
  }
  return "";
}

}  // namespace lithify
