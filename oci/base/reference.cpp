// reference: the grammar of distribution/reference, with one text per class of mistake.
#include "oci/base/reference.h"

#include <algorithm>
#include <arpa/inet.h>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr std::string_view k_hub = "docker.io";
constexpr std::size_t k_max_path = 255;
constexpr std::size_t k_max_tag = 128;
constexpr std::size_t k_max_text = 1024;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_lower(c) || is_upper(c) || is_digit(c);
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(Errc::bad_input, fmt::format("`{}` is no image reference: {}", text, why));
}

// Calls `accept` with each part between separators; false if any is refused.
template <class Accept>
bool all_parts(std::string_view text, char separator, Accept accept) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (!accept(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool is_label(std::string_view label) {
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alnum(c) || c == '-'; });
}

// Brackets are off already. No zone, no embedded dotted IPv4.
bool is_ipv6(const std::string& address) {
  in6_addr parsed{};
  return address.find('.') == std::string::npos &&
         ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

bool is_port(std::string_view port) {
  if (!all_digits(port) || port.size() > 5) return false;
  const int number = std::stoi(std::string(port));
  return number >= 1 && number <= 65535;
}

bool is_domain(std::string_view domain) {
  std::string_view port;
  bool good_host = false;
  if (domain.substr(0, 1) == "[") {
    const std::size_t end = domain.find(']');
    if (end == std::string_view::npos) return false;
    good_host = is_ipv6(std::string(domain.substr(1, end - 1)));
    port = domain.substr(end + 1);
  } else {
    const std::size_t end = std::min(domain.find(':'), domain.size());
    good_host = all_parts(domain.substr(0, end), '.', is_label);
    port = domain.substr(end);
  }
  return good_host && (port.empty() || (port.front() == ':' && is_port(port.substr(1))));
}

// [a-z0-9]+ joined by ".", "_", "__" or any number of "-".
bool is_component(std::string_view component) {
  const auto is_word = [](char c) { return is_lower(c) || is_digit(c); };
  std::size_t at = 0;
  for (;;) {
    const std::size_t word = at;
    while (at < component.size() && is_word(component[at]))
      ++at;
    if (at == word) return false;
    if (at == component.size()) return true;
    const std::size_t separator = at;
    while (at < component.size() && !is_word(component[at]))
      ++at;
    const std::string_view joint = component.substr(separator, at - separator);
    if (joint != "." && joint != "_" && joint != "__" &&
        joint.find_first_not_of('-') != std::string_view::npos) {
      return false;
    }
  }
}

Digest parse_digest(std::string_view text, std::string_view digest) {
  const std::size_t colon = digest.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    refuse(text, "the digest after `@` is not of the form sha256:<64 hex digits>");
  }
  const std::string_view algorithm = digest.substr(0, colon);
  const std::string_view hex = digest.substr(colon + 1);
  if (algorithm != "sha256") {
    refuse(text, fmt::format("the digest algorithm `{}` is not supported, only sha256 is",
                             algorithm));
  }
  if (!is_hex(hex)) refuse(text, "the digest has characters that are no lower-case hex");
  if (hex.size() != 64) {
    refuse(text, fmt::format("the digest has {} hex digits, not 64", hex.size()));
  }
  return *Digest::parse_hex(hex);
}

// "docker.io/library/debian" from "debian".
void split_name(std::string_view name, Reference& into) {
  const std::size_t slash = name.find('/');
  const std::string_view first = name.substr(0, slash);
  const bool has_domain =
      slash != std::string_view::npos &&
      (first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
       std::any_of(first.begin(), first.end(), is_upper));
  into.domain = has_domain ? first : k_hub;
  into.path = has_domain ? name.substr(slash + 1) : name;
  if (into.domain == "index.docker.io") into.domain = k_hub;
  if (into.domain == k_hub && into.path.find('/') == std::string::npos) {
    into.path = "library/" + into.path;
  }
}

void check_name(std::string_view text, std::string_view name, const Reference& parsed) {
  if (name.size() == 64 && is_hex(name)) {
    refuse(text, "64 hex digits name an image, not a repository");
  }
  if (!is_domain(parsed.domain)) {
    refuse(text, fmt::format("`{}` is no host[:port]", parsed.domain));
  }
  if (std::any_of(parsed.path.begin(), parsed.path.end(), is_upper)) {
    refuse(text, "the repository name must be lower case");
  }
  if (parsed.path.size() > k_max_path) {
    refuse(text, fmt::format("the repository name has {} characters, more than {}",
                             parsed.path.size(), k_max_path));
  }
  if (!all_parts(parsed.path, '/', is_component)) {
    refuse(text, fmt::format("`{}` is not made of words of a-z and 0-9, joined by one of "
                             "`.` `_` `__` `-` `/`",
                             parsed.path));
  }
}

}  // namespace

bool Reference::is_tag(std::string_view text) {
  return !text.empty() && text.size() <= k_max_tag && text.front() != '.' &&
         text.front() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
           return is_alnum(c) || c == '_' || c == '.' || c == '-';
         });
}

Reference Reference::parse(std::string_view text) {
  if (text.size() > k_max_text) {
    throw Error(Errc::bad_input,
                fmt::format("an image reference of {} bytes is too long", text.size()));
  }
  if (text.empty()) throw Error(Errc::bad_input, "an empty image reference");
  const std::size_t at = text.find('@');
  std::string_view name = text.substr(0, at);
  Reference parsed;
  const std::size_t colon = name.rfind(':');
  const std::size_t slash = name.rfind('/');
  const bool tagged = colon != std::string_view::npos &&
                      (slash == std::string_view::npos || colon > slash);
  if (tagged) {
    parsed.tag = name.substr(colon + 1);
    name = name.substr(0, colon);
  }
  if (name.empty()) refuse(text, "the repository name is empty");
  split_name(name, parsed);
  check_name(text, name, parsed);
  if (tagged && !is_tag(parsed.tag)) {
    refuse(text, fmt::format("the tag `{}` is not 1 to {} of A-Z a-z 0-9 `_` `.` `-`, "
                             "beginning with neither `.` nor `-`",
                             parsed.tag, k_max_tag));
  }
  if (at != std::string_view::npos) {
    parsed.digest = parse_digest(text, text.substr(at + 1));
  } else if (!tagged) {
    parsed.tag = "latest";
  }
  return parsed;
}

std::string Reference::str() const {
  return name() + (tag.empty() ? "" : ":" + tag) + (digest ? "@" + digest->str() : "");
}

}  // namespace oci
