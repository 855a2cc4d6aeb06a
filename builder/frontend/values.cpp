#include "builder/frontend/values.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/glob.h"

namespace lithify {

namespace {

constexpr std::string_view k_whiteout = ".wh.";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}

template <class Allowed>
bool consists_of(std::string_view text, Allowed allowed) {
  return std::all_of(text.begin(), text.end(), allowed);
}

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    if (!part.empty() && part != ".") parts.push_back(part);
    at = slash + 1;
  }
  return parts;
}

bool climbs(std::string_view path) {
  const auto parts = components(path);
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

// A file system takes such names, and in a layer they are no whiteouts.
bool fits_image(std::string_view path) {
  const auto parts = components(path);
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.size() <= k_max_component && !part.starts_with(k_whiteout);
  });
}

std::string join(const std::vector<std::string_view>& parts) {
  std::string path;
  for (const std::string_view part : parts) {
    if (!path.empty()) path += '/';
    path += part;
  }
  return path;
}

// Days since 1970-01-01 of a date of the Gregorian calendar.
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const std::int64_t era = year / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year =
      (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

unsigned days_in(unsigned year, unsigned month) {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// "2026-11-01" or "2026-11-01T12:00:00Z".
std::optional<std::int64_t> parse_date(std::string_view text) {
  const std::string_view shape = "0000-00-00T00:00:00Z";
  if (text.size() != 10 && text.size() != shape.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (shape[i] == '0' ? !is_digit(text[i]) : text[i] != shape[i]) return std::nullopt;
  }
  const auto part = [&](std::size_t at, std::size_t size) {
    return number<unsigned>(text.substr(at, size)).value_or(0);
  };
  const unsigned year = part(0, 4), month = part(5, 2), day = part(8, 2);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
    return std::nullopt;
  std::int64_t seconds = days_of(year, month, day) * 86400;
  if (text.size() == 10) return seconds;
  const unsigned hour = part(11, 2), minute = part(14, 2), second = part(17, 2);
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return seconds + hour * 3600 + minute * 60 + second;
}

std::optional<std::int64_t> nanoseconds_in(std::string_view unit) {
  if (unit == "h") return 3'600'000'000'000;
  if (unit == "m") return 60'000'000'000;
  if (unit == "s") return 1'000'000'000;
  if (unit == "ms") return 1'000'000;
  return std::nullopt;
}

std::optional<std::uint64_t> bytes_in(std::string_view unit) {
  static constexpr std::string_view k_letters = "KMGT";
  if (unit.empty() || unit == "B") return 1;
  const std::size_t power = k_letters.find(unit[0] == 'k' ? 'K' : unit[0]);
  const bool binary = unit.size() == 3 && unit.substr(1) == "iB" && unit[0] != 'k';
  const bool decimal = unit.size() == 2 && unit[1] == 'B' && unit[0] != 'K';
  if (power == std::string_view::npos || (!binary && !decimal)) return std::nullopt;
  std::uint64_t bytes = 1;
  for (std::size_t i = 0; i <= power; ++i)
    bytes *= binary ? 1024 : 1000;
  return bytes;
}

std::optional<std::string> decode_hex(std::string_view digits) {
  std::string bytes;
  if (digits.size() % 2 != 0) return std::nullopt;
  for (; !digits.empty(); digits.remove_prefix(2)) {
    const auto byte = number<std::uint8_t>(digits.substr(0, 2), 16);
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
  }
  return bytes;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding)
    text.remove_suffix(1);
  static constexpr std::string_view k_digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = k_digits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    held = held << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(held >> bits & 0xff);
  }
  return bytes;
}

bool is_package_name(std::string_view text) {
  return text.size() >= 2 && (is_lower(text[0]) || is_digit(text[0])) &&
         consists_of(text, [](char c) {
           return is_lower(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
         });
}

}  // namespace

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return number<std::int64_t>(text);
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
  const auto id = number<std::uint32_t>(text);
  // The last two stand for "no user" in system calls and 16-bit ids.
  return id && *id < 0xfffffffe ? id : std::nullopt;
}

std::optional<std::uint32_t> parse_mode(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  const auto mode = number<std::uint32_t>(text, 8);
  return mode && *mode <= 07777 ? mode : std::nullopt;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  constexpr std::int64_t k_longest = 365 * 24 * 3'600'000'000'000;
  std::int64_t total = 0;
  std::int64_t smaller_than = k_longest;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto digits = static_cast<std::size_t>(
        std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
    const auto count = number<std::int64_t>(text.substr(0, digits));
    text.remove_prefix(digits);
    const auto letters = static_cast<std::size_t>(
        std::find_if_not(text.begin(), text.end(), is_letter) - text.begin());
    const auto unit = nanoseconds_in(text.substr(0, letters));
    text.remove_prefix(letters);
    if (!count || !unit || *unit >= smaller_than || *count > k_longest / *unit)
      return std::nullopt;
    smaller_than = *unit;
    total += *count * *unit;
  }
  return total <= k_longest ? std::optional(total) : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto digits = static_cast<std::size_t>(
      std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const auto count = number<std::uint64_t>(text.substr(0, digits));
  const auto unit = bytes_in(text.substr(digits));
  constexpr std::uint64_t k_largest = std::uint64_t{1} << 60;
  if (!count || !unit || *count > k_largest / *unit) return std::nullopt;
  return *count * *unit;
}

std::optional<std::string> parse_port(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view protocol = slash == text.size() ? "tcp" : text.substr(slash + 1);
  const auto port = number<unsigned>(text.substr(0, slash));
  if (!port || *port < 1 || *port > 65535 || !is_digit(text[0])) return std::nullopt;
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") return std::nullopt;
  return fmt::format("{}/{}", *port, protocol);
}

std::optional<oci::Digest> parse_sha256(std::string_view text) {
  return text.starts_with("sha256:") ? oci::Digest::parse(text)
                                     : oci::Digest::parse_hex(text);
}

std::optional<EpochRule> parse_epoch(std::string_view text) {
  if (text == "git") return EpochRule{EpochRule::Kind::git, 0};
  if (text == "zero") return EpochRule{EpochRule::Kind::zero, 0};
  auto seconds = parse_date(text);
  if (!seconds) seconds = parse_integer(text);
  constexpr std::int64_t k_year_9999 = 253402300799;
  if (!seconds || *seconds < 0 || *seconds > k_year_9999) return std::nullopt;
  return EpochRule{EpochRule::Kind::fixed, *seconds};
}

// name[:architecture][=version]
std::optional<PackageRequest> parse_package(std::string_view text) {
  PackageRequest request;
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos) {
    request.version = text.substr(equals + 1);
    text = text.substr(0, equals);
    std::string_view exact = request.version;
    if (exact.ends_with('*')) exact.remove_suffix(1);
    const bool fits =
        !exact.empty() && is_digit(exact[0]) && consists_of(exact, [](char c) {
          return is_letter(c) || is_digit(c) ||
                 std::string_view(".+-~:").find(c) != std::string_view::npos;
        });
    if (!fits) return std::nullopt;
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    request.architecture = text.substr(colon + 1);
    text = text.substr(0, colon);
    const bool fits =
        !request.architecture.empty() && consists_of(request.architecture, [](char c) {
          return is_lower(c) || is_digit(c) || c == '-';
        });
    if (!fits) return std::nullopt;
  }
  if (!is_package_name(text)) return std::nullopt;
  request.name = text;
  return request;
}

std::optional<std::string> parse_image_path(std::string_view text) {
  if (!text.starts_with('/') || climbs(text) || has_control(text) ||
      text.size() > k_max_path || !fits_image(text))
    return std::nullopt;
  return "/" + join(components(text));
}

bool is_within(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

std::optional<std::string> parse_source_path(std::string_view text) {
  if (text.empty() || text.starts_with('!') || has_control(text) || climbs(text))
    return std::nullopt;
  const std::string path = join(components(text));
  if (path.empty()) return ".";
  return Glob::refusal(path) ? std::nullopt : std::optional(path);
}

bool is_glob(std::string_view text) {
  return !text.starts_with('/') && !text.starts_with('!') && !has_control(text) &&
         !components(text).empty() && !Glob::refusal(text);
}

bool is_image_glob(std::string_view text) {
  if (text.starts_with('/')) return is_glob(text.substr(1));
  return text.starts_with("**") && is_glob(text);
}

bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         (is_letter(text[0]) || is_digit(text[0])) && consists_of(text, [](char c) {
           return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
         });
}

// OCI distribution-spec: components of lower-case letters and digits with single
// separators between them.
bool is_image_name(std::string_view text) {
  const auto word = [](char c) { return is_lower(c) || is_digit(c); };
  if (text.empty() || text.size() > 128 || !word(text.front()) || !word(text.back()))
    return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (word(text[i])) continue;
    const std::string_view separators = "-_.";
    if (separators.find(text[i]) == std::string_view::npos) return false;
    if (text[i] != '-' && !word(text[i - 1])) return false;
  }
  return true;
}

namespace {

bool names_tag(std::string_view text) {
  const std::string_view name = text.substr(0, text.find('@'));
  const std::size_t colon = name.rfind(':');
  return colon != std::string_view::npos &&
         name.find('/', colon) == std::string_view::npos;
}

std::optional<oci::Reference> parse_reference(std::string_view text) {
  try {
    return oci::Reference::parse(text);
  } catch (const oci::Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<oci::Reference> parse_image_ref(std::string_view text) {
  auto parsed = parse_reference(text);
  return parsed && (parsed->digest || names_tag(text)) ? parsed : std::nullopt;
}

std::optional<std::string> parse_repository(std::string_view text) {
  const auto parsed = parse_reference(text);
  if (!parsed || parsed->digest || names_tag(text)) return std::nullopt;
  return parsed->name();
}

std::string reference_refusal(std::string_view text) {
  try {
    oci::Reference::parse(text);
    return "";
  } catch (const oci::Error& error) {
    const std::string why = error.what();
    const std::string start = fmt::format("`{}` is no image reference: ", text);
    return why.starts_with(start) ? why.substr(start.size()) : why;
  }
}

bool is_account_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && (is_lower(text[0]) || text[0] == '_') &&
         consists_of(text, [](char c) {
           return is_lower(c) || is_digit(c) || c == '_' || c == '-';
         });
}

bool is_owner(std::string_view text) {
  const auto side = [](std::string_view word) {
    return parse_id(word).has_value() || is_account_name(word);
  };
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return side(text);
  return side(text.substr(0, colon)) && side(text.substr(colon + 1));
}

bool is_signal(std::string_view text) {
  if (const auto value = number<int>(text)) return *value >= 1 && *value <= 64;
  if (!text.starts_with("SIG")) return false;
  text.remove_prefix(3);
  static constexpr std::string_view k_signals[] = {
      "HUP",    "INT",  "QUIT", "ILL",  "TRAP", "ABRT",  "BUS",    "FPE",   "KILL",
      "USR1",   "SEGV", "USR2", "PIPE", "ALRM", "TERM",  "CHLD",   "CONT",  "STOP",
      "TSTP",   "TTIN", "TTOU", "URG",  "XCPU", "XFSZ",  "PROF",   "IO",    "SYS",
      "VTALRM", "POLL", "PWR",  "IOT",  "CLD",  "WINCH", "STKFLT", "RTMIN", "RTMAX"};
  if (std::find(std::begin(k_signals), std::end(k_signals), text) != std::end(k_signals))
    return true;
  const bool from_min = text.starts_with("RTMIN+");
  if (!from_min && !text.starts_with("RTMAX-")) return false;
  const auto offset = number<unsigned>(text.substr(6));
  return offset && *offset >= 1 && *offset <= (from_min ? 15 : 14);
}

bool is_url(std::string_view text) {
  const std::size_t scheme = text.starts_with("https://")  ? 8
                             : text.starts_with("http://") ? 7
                                                           : 0;
  const std::string_view authority = text.substr(scheme, text.find('/', scheme) - scheme);
  return scheme > 0 && !authority.empty() && text.size() <= 4096 &&
         authority.find('@') == std::string_view::npos && consists_of(text, [](char c) {
           return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
         });
}

bool is_variable_name(std::string_view text) {
  return !text.empty() && text.size() <= 256 && !has_control(text) &&
         text.find('=') == std::string_view::npos;
}

// Of security.* a layer has capabilities alone; overlay's own attributes are how an
// engine lays layers over each other.
bool is_xattr_name(std::string_view text) {
  if (text == "security.capability") return true;
  const std::size_t dot = std::min(text.find('.'), text.size());
  const std::string_view space = text.substr(0, dot);
  return (space == "user" || space == "trusted" || space == "system") &&
         text.size() > dot + 1 && text.size() <= k_max_component && !has_control(text) &&
         text.find('=') == std::string_view::npos &&
         !text.substr(dot).starts_with(".overlay.");
}

std::optional<std::string> parse_xattr_value(std::string_view text) {
  if (text.starts_with("0s") || text.starts_with("0S"))
    return decode_base64(text.substr(2));
  if (text.starts_with("0x") || text.starts_with("0X")) return decode_hex(text.substr(2));
  return std::string(text);
}

}  // namespace lithify
