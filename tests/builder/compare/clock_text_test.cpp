// clock_text: times are told from other numbers.
#include "builder/compare/clock_text.h"

#include "tests/support/catch.h"

using lithify::clock_field;
using lithify::clock_text;

namespace {

// The times in two texts that part somewhere; "" and "" for none.
std::pair<std::string, std::string> times(const std::string& a, const std::string& b) {
  std::size_t same = 0;
  while (same < a.size() && same < b.size() && a[same] == b[same])
    ++same;
  const auto found = clock_text(a.substr(0, same), a.substr(same), b.substr(same));
  return found ? std::make_pair(found->first, found->second)
               : std::make_pair(std::string(), std::string());
}

using Pair = std::pair<std::string, std::string>;

}  // namespace

TEST_CASE("a time is found where two texts part in it") {
  CHECK(times("built 2026-11-26T20:01:14Z\n", "built 2026-11-26T20:01:15Z\n") ==
        Pair{"2026-11-26T20:01:14", "2026-11-26T20:01:15"});
  CHECK(times("built 2025-11-26 20:01:14", "built 2026-01-02 03:04:05") ==
        Pair{"2025-11-26 20:01:14", "2026-01-02 03:04:05"});
  CHECK(times("on 2026-11-26.", "on 2026-11-27.") == Pair{"2026-11-26", "2026-11-27"});
  CHECK(times("(26 Nov 2026)", "(27 Nov 2026)") == Pair{"26 Nov 2026", "27 Nov 2026"});
  CHECK(times("Thu Nov  6 20:01:14 UTC", "Thu Nov 16 20:01:14 UTC") ==
        Pair{"Nov  6 20:01:14", "Nov 16 20:01:14"});
  CHECK(times("at 20:01 h", "at 20:02 h") == Pair{"20:01", "20:02"});
  CHECK(times("{\"t\":1795723274}", "{\"t\":1795723311}") ==
        Pair{"1795723274", "1795723311"});
  CHECK(times("1795723274123", "1795723274124") ==
        Pair{"1795723274123", "1795723274124"});
}

TEST_CASE("what only looks like a time is none") {
  CHECK(times("version 1.2.3", "version 1.2.4") == Pair{});
  CHECK(times("port 8080", "port 8081") == Pair{});
  CHECK(times("id 123456789012", "id 123456789013") == Pair{});
  CHECK(times("99:99:98", "99:99:99") == Pair{});
  CHECK(times("2026-13-01", "2026-14-01") == Pair{});
  CHECK(times("abc", "abd") == Pair{});
  CHECK(times("at 20:01:14 red", "at 20:01:14 blue") == Pair{});
  CHECK(times("", "2026-11-26") == Pair{});
}

TEST_CASE("times in the headers of files are known by their place") {
  const std::string gzip("\x1f\x8b\x08\x00", 4);
  CHECK(clock_field(gzip, 4).find("gzip") != std::string::npos);
  CHECK(clock_field(gzip, 3).empty());
  CHECK(clock_field(gzip, 8).empty());
  CHECK(clock_field("\x6f\x0d\r\n", 8).find("Python") != std::string::npos);
  CHECK(clock_field("", 4).empty());
}
