// redact: RFC 3986, section 3.2: an authority ends at a slash, a question mark or a hash.
#include "builder/attest/redact.h"

namespace lithify {

namespace {

// What may not stand in an authority, so that no text behind a URL is taken for one. A
// quote may: a password is no less one for being written carelessly.
constexpr std::string_view k_ends = "/?# \t\r\n<>{}";

bool is_plain_ssh(std::string_view before, std::string_view user) {
  const bool ssh = before.size() >= 3 && before.substr(before.size() - 3) == "ssh";
  return ssh && user.find(':') == user.npos;
}

}  // namespace

std::string without_credentials(std::string_view text) {
  constexpr std::string_view k_mark = "://";
  std::string clean;
  while (true) {
    const std::size_t mark = text.find(k_mark);
    if (mark == text.npos) return clean + std::string(text);
    clean += text.substr(0, mark + k_mark.size());
    const std::string_view before = text.substr(0, mark);
    std::string_view authority = text.substr(mark + k_mark.size());
    authority = authority.substr(0, authority.find_first_of(k_ends));
    const std::size_t at = authority.rfind('@');
    const bool secret =
        at != authority.npos && !is_plain_ssh(before, authority.substr(0, at));
    text.remove_prefix(mark + k_mark.size() + (secret ? at + 1 : 0));
  }
}

}  // namespace lithify
