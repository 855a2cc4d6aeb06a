// Challenge: what a server asks for in WWW-Authenticate.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oci {

struct Challenge {
  std::string scheme;                             // lower case: "bearer", "basic"
  std::string token68 = {};                       // of schemes that have one
  std::map<std::string, std::string> parameters;  // names in lower case; the first wins
  bool operator==(const Challenge&) const = default;

  // Empty if it is not there.
  std::string parameter(std::string_view name) const;
};

// RFC 9110, 11.6.1: several lines, several challenges in one line, quoted strings and
// bare tokens, blanks around "=" and ",". What cannot be read ends its line and is left
// out; lines longer than 16 KiB and more than 32 challenges are too.
std::vector<Challenge> parse_challenges(std::span<const std::string> lines);

}  // namespace oci
