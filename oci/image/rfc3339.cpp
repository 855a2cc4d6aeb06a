// rfc3339: times as OCI documents write them, without a clock and without a locale.
#include <chrono>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest.h"

namespace oci {

namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr std::int64_t k_day = 86'400;
constexpr std::int64_t k_year_0 = -62'167'219'200;
constexpr std::int64_t k_year_10000 = 253'402'300'800;

// -1 if they are no digits.
int digits(std::string_view text) {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

std::string rfc3339(std::int64_t seconds) {
  if (seconds < k_year_0 || seconds >= k_year_10000) {
    throw Error(Errc::bad_input,
                fmt::format("the time {} is not between the years 0 and 9999", seconds));
  }
  const std::int64_t second = ((seconds % k_day) + k_day) % k_day;
  const sys_days day{days((seconds - second) / k_day)};
  const std::chrono::year_month_day date{day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", int{date.year()},
                     unsigned{date.month()}, unsigned{date.day()}, second / 3600,
                     second / 60 % 60, second % 60);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  if (text.size() != 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
      text[13] != ':' || text[16] != ':' || text[19] != 'Z') {
    return std::nullopt;
  }
  const int year = digits(text.substr(0, 4)), month = digits(text.substr(5, 2)),
            day = digits(text.substr(8, 2)), hour = digits(text.substr(11, 2)),
            minute = digits(text.substr(14, 2)), second = digits(text.substr(17, 2));
  if (year < 0 || month < 0 || day < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 59) {
    return std::nullopt;
  }
  const std::int64_t midnight = sys_days{date}.time_since_epoch().count() * k_day;
  return midnight + hour * 3600 + minute * 60 + second;
}

}  // namespace oci
