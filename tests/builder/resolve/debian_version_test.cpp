// debian_version: the order that dpkg gives.
#include "builder/resolve/debian_version.h"

#include <string>

#include "tests/support/catch.h"

using lithify::compare_versions;

TEST_CASE("versions are ordered as Debian Policy says") {
  // Each earlier than the next.
  const std::string chains[][6] = {
      {"1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a", "1.0+b"},
      {"0.9", "0.10", "0.10.1", "1", "1.1", "2"},
      {"1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-2~", "1.0-2", "1.0-10"},
      {"9", "1:0", "1:0.1", "2:0~rc1", "2:0", "10:0"},
      {"1.2-3-4", "1.2-3-5", "1.2-10-1", "1.2.0-1", "1.2.a-1", "1.2.+-1"},
      {"2.36-9+deb12u1", "2.36-9+deb12u9", "2.36-9+deb12u10", "2.36-10",
       "18446744073709551616", "18446744073709551617"},
  };
  for (const auto& chain : chains) {
    for (int i = 0; i + 1 < 6; ++i) {
      CAPTURE(chain[i], chain[i + 1]);
      CHECK((compare_versions(chain[i], chain[i + 1]) < 0));
      CHECK((compare_versions(chain[i + 1], chain[i]) > 0));
    }
  }
}

TEST_CASE("different spellings of one version are equal") {
  const std::pair<const char*, const char*> pairs[] = {
      {"1.0", "1.0"},  {"0:1.0", "1.0"}, {"1.0-0", "1.0"},
      {"1.00", "1.0"}, {"01", "1"},      {"1.0-00", "1.0-"},
  };
  for (const auto& pair : pairs) {
    CAPTURE(pair.first, pair.second);
    CHECK((compare_versions(pair.first, pair.second) == 0));
  }
}
