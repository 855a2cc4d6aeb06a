// Owner maps: ids there and back, and files in the form of subuid(5).
#include "builder/sandbox/owner_map.h"

#include "tests/support/catch.h"

using namespace lithify;

TEST_CASE("ids go to the disk and come back") {
  const IdMap ids = {.zero = 1000, .rest = 100000, .count = 65536};
  CHECK(ids.on_disk(0) == 1000u);
  CHECK(ids.on_disk(1) == 100000u);
  CHECK(ids.on_disk(65535) == 165534u);
  CHECK_FALSE(ids.on_disk(65536));
  CHECK(ids.in_sandbox(1000) == 0u);
  CHECK(ids.in_sandbox(165534) == 65535u);
  CHECK_FALSE(ids.in_sandbox(165535));
  CHECK_FALSE(ids.in_sandbox(0));
}

TEST_CASE("a single id has no others") {
  const IdMap ids = {.zero = 1000, .rest = 1, .count = 1};
  CHECK(ids.on_disk(0) == 1000u);
  CHECK_FALSE(ids.on_disk(1));
  CHECK_FALSE(ids.in_sandbox(1));
}

TEST_CASE("a namespace has a range in one line, or in root's and one more") {
  CHECK(has_range("         0          0 4294967295\n", 0));
  CHECK(has_range("0 1000 1\n1 100000 65535\n", 0));
  CHECK(has_range("1 100000 65535\n0 1000 1\n", 0));
  CHECK_FALSE(has_range("0 1000 1\n", 0));
  CHECK_FALSE(has_range("0 1000 1\n1 100000 65534\n", 0));
  CHECK_FALSE(has_range("0 1000 2\n2 100000 65534\n", 0));
  CHECK_FALSE(has_range("0 1000 1\n1 100000 65536\n", 1879113728));
  CHECK_FALSE(has_range("nonsense\n\n", 0));
}

TEST_CASE("the first range of subuid that is large enough is taken") {
  const char* text =
      "other:100000:65536\n"
      "me:1:5\n"
      "me:300000:70000\n"
      "me:500000:65536\n";
  const auto range = find_subordinate(text, 1000, "me");
  REQUIRE(range);
  CHECK(range->start == 300000);
  CHECK(range->count == 70000);
  CHECK(find_subordinate("1000:200000:65536", 1000, "me")->start == 200000);
}

TEST_CASE("nonsense in subuid is nobody's range") {
  for (const char* text :
       {"", "me", "me:", "me:1", "me:x:65536", "me:1:-1", ":1:65536",
        "me:4294967295:65536", "me:0:65536", "me:1:99999999999999999999",
        "me:100000:4294967295", "you:100000:65536"}) {
    INFO(text);
    CHECK_FALSE(find_subordinate(text, 1000, "me"));
  }
}
