// SecretMask: what a command writes, without the secrets that it was given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// Puts *** in the place of each secret in a text that comes in pieces. A secret is found
// as it was given, without the newlines at its end; one that was encoded or taken apart
// is not, and one of less than four bytes would be found everywhere. One thread at a
// time.
class SecretMask {
 public:
  explicit SecretMask(std::vector<std::string> secrets);

  // What can be told of all that came so far; the beginning of what may become a secret
  // is kept back.
  std::string pass(std::string_view text);
  // What was kept back, at the end.
  std::string rest();

 private:
  const std::string* secret_at(std::size_t at) const;
  bool may_become_secret(std::size_t at) const;

  std::vector<std::string> secrets_;  // the longest first
  std::string held_;
};

}  // namespace lithify
