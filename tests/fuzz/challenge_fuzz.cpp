// challenge_fuzz: whatever a server sends, what is read out of it keeps its promises.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "oci/registry/challenge.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Written out again in the plainest form.
std::string written(const oci::Challenge& challenge) {
  std::string text = challenge.scheme;
  if (!challenge.token68.empty()) return text + " " + challenge.token68;
  char separator = ' ';
  for (const auto& [name, value] : challenge.parameters) {
    text += separator + name + "=\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
    separator = ',';
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  const std::vector<oci::Challenge> challenges = oci::parse_challenges(lines);
  require(challenges.size() <= 32);
  for (const oci::Challenge& challenge : challenges) {
    require(!challenge.scheme.empty());
    require(challenge.token68.empty() || challenge.parameters.empty());
    // Escaping may make a line longer than is read.
    const std::vector<std::string> again = {written(challenge)};
    if (again[0].size() > 16 * 1024) continue;
    require(oci::parse_challenges(again) == std::vector{challenge});
  }
  return 0;
}
