// patience: how often, how long, and when not.
#include "oci/registry/patience.h"

#include "tests/support/catch.h"

using namespace oci;
using namespace std::chrono_literals;

namespace {

const Error k_error(Errc::unavailable, "the server is away");

// How often lose() lets us go on.
int tries(Patience& patience, int most = 20) {
  int count = 0;
  try {
    for (; count < most; ++count)
      patience.lose(k_error, 0s, {});
  } catch (const Error& e) {
    CHECK(std::string(e.what()) == k_error.what());
  }
  return count;
}

}  // namespace

TEST_CASE("what may pass is tried as often as it is said") {
  Patience patience({4, 1ms, 2ms, 1s});
  CHECK(tries(patience) == 3);
  Patience none({1, 1ms, 2ms, 1s});
  CHECK(tries(none) == 0);
}

TEST_CASE("progress starts the count anew") {
  Patience patience({3, 1ms, 2ms, 1s});
  for (int i = 0; i < 10; ++i) {
    patience.lose(k_error, 0s, {});
    patience.regain();
  }
  CHECK(tries(patience) == 2);
}

TEST_CASE("all of a run share a budget") {
  std::atomic<int> budget = 3;
  Patience one({100, 1ms, 1ms, 1s}, &budget);
  Patience other({100, 1ms, 1ms, 1s}, &budget);
  CHECK(tries(one, 2) == 2);
  CHECK(tries(other) == 1);
  CHECK(tries(one) == 0);
}

TEST_CASE("waits grow to a limit, and are never all alike") {
  Patience patience({100, 8ms, 16ms, 1s});
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i)
    patience.lose(k_error, 0s, {});
  const auto time = std::chrono::steady_clock::now() - start;
  CHECK(time >= 36ms);  // the half of 8 + 4 × 16
  CHECK(time < 1s);
  // Far beyond where doubling would overflow.
  Patience often({100, 1ms, 1ms, 1s});
  CHECK(tries(often, 80) == 80);
}

TEST_CASE("a longer wait than is granted ends the patience with a word about it") {
  Patience patience({4, 1ms, 2ms, 1s});
  try {
    patience.lose(k_error, 2s, {});
    FAIL("it waited");
  } catch (const Error& e) {
    REQUIRE(e.notes().size() == 1);
    CHECK(e.notes()[0] == "the server asks to wait 2 seconds");
  }
}

TEST_CASE("a long wait is told before it begins, and can be stopped") {
  std::vector<std::string> told;
  Patience patience({4, 60s, 60s, 60s}, nullptr,
                    [&](const std::string& sentence) { told.push_back(sentence); });
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(patience.lose(k_error, 50s, stop.get_token()), Cancelled);
  REQUIRE(told.size() == 1);
  CHECK(told[0].rfind("the server is away; trying again in ", 0) == 0);
}

TEST_CASE("statuses that may pass are those of servers in trouble") {
  for (const int status : {408, 429, 500, 502, 503, 504, 520, 524, 599})
    CHECK(may_pass(status));
  for (const int status : {200, 400, 401, 403, 404, 409, 416, 417, 501, 505})
    CHECK_FALSE(may_pass(status));
}
