#include "builder/command/secret_mask.h"

#include <algorithm>
#include <utility>

namespace lithify {

namespace {

constexpr std::size_t k_least = 4;
constexpr const char* k_mask = "***";

}  // namespace

SecretMask::SecretMask(std::vector<std::string> secrets) {
  for (std::string& secret : secrets) {
    secret.erase(secret.find_last_not_of("\r\n") + 1);
    if (secret.size() >= k_least) secrets_.push_back(std::move(secret));
  }
  std::sort(secrets_.begin(), secrets_.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

const std::string* SecretMask::secret_at(std::size_t at) const {
  for (const std::string& secret : secrets_) {
    if (held_.compare(at, secret.size(), secret) == 0) return &secret;
  }
  return nullptr;
}

bool SecretMask::may_become_secret(std::size_t at) const {
  const std::string_view end = std::string_view(held_).substr(at);
  return std::any_of(secrets_.begin(), secrets_.end(), [&](const std::string& secret) {
    return secret.size() > end.size() && secret.compare(0, end.size(), end) == 0;
  });
}

std::string SecretMask::pass(std::string_view text) {
  if (secrets_.empty()) return std::string(text);
  held_ += text;
  std::string told;
  std::size_t at = 0;
  while (at < held_.size() && !may_become_secret(at)) {
    if (const std::string* secret = secret_at(at)) {
      told += k_mask;
      at += secret->size();
    } else {
      told += held_[at++];
    }
  }
  held_.erase(0, at);
  return told;
}

std::string SecretMask::rest() {
  std::string told;
  std::size_t at = 0;
  while (at < held_.size()) {
    if (const std::string* secret = secret_at(at)) {
      told += k_mask;
      at += secret->size();
    } else {
      told += held_[at++];
    }
  }
  held_.clear();
  return told;
}

}  // namespace lithify
