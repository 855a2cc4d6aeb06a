#include "oci/registry/origin.h"

#include <algorithm>
#include <charconv>

namespace oci {

namespace {

std::string lower(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return copy;
}

// "https://host:port/path?query" in its three parts; nullopt without a scheme.
struct Parts {
  std::string_view scheme;
  std::string_view authority;
  std::string_view rest;  // from the path on
};
std::optional<Parts> split(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::size_t start = colon + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", start), url.size());
  return Parts{url.substr(0, colon), url.substr(start, end - start), url.substr(end)};
}

bool has_scheme(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                     [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
                     });
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
  });
}

// RFC 3986, 5.2.4.
std::string without_dots(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::size_t next = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, next);
    path.remove_prefix(next);
    if (segment == "/." || segment == "/..") {
      if (segment == "/..")
        result.resize(result.rfind('/') + 1 == 0 ? 0 : result.rfind('/'));
      if (path.empty()) result += '/';
    } else {
      result += segment;
    }
  }
  return result;
}

}  // namespace

std::optional<Origin> Origin::of(std::string_view url) {
  const auto parts = split(url);
  if (!parts || parts->authority.find('@') != std::string_view::npos) return std::nullopt;
  Origin origin;
  origin.scheme = lower(parts->scheme);
  if (origin.scheme != "http" && origin.scheme != "https") return std::nullopt;
  std::string_view host = parts->authority;
  std::string_view port;
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos &&
      (bracket == std::string_view::npos || colon > bracket)) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  origin.host = lower(host);
  if (origin.host.empty() || !is_plain(origin.host)) return std::nullopt;
  origin.port = origin.is_secure() ? 443 : 80;
  if (!port.empty()) {
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), origin.port);
    if (error != std::errc() || end != port.data() + port.size() || origin.port == 0) {
      return std::nullopt;
    }
  }
  return origin;
}

bool Origin::is_loopback() const {
  constexpr std::string_view k_suffix = ".localhost";
  if (host == "localhost" || host == "[::1]") return true;
  if (host.size() > k_suffix.size() &&
      host.compare(host.size() - k_suffix.size(), k_suffix.size(), k_suffix) == 0) {
    return true;
  }
  // A name may begin with "127." too.
  return host.rfind("127.", 0) == 0 &&
         host.find_first_not_of("0123456789.") == std::string::npos &&
         std::count(host.begin(), host.end(), '.') == 3;
}

std::string Origin::str() const {
  const bool usual = port == (is_secure() ? 443 : 80);
  return scheme + "://" + host + (usual ? "" : ":" + std::to_string(port));
}

std::optional<std::string> resolve_url(std::string_view base, std::string_view location) {
  location = location.substr(0, location.find('#'));
  if (!is_plain(location)) return std::nullopt;
  const auto parts = split(base);
  if (!parts) return std::nullopt;
  const std::string root =
      std::string(parts->scheme) + "://" + std::string(parts->authority);
  if (location.substr(0, 2) == "//") {
    return std::string(parts->scheme) + ":" + std::string(location);
  }
  if (location.empty() || location.front() == '/') {
    return location.empty() ? std::string(base) : root + std::string(location);
  }
  if (location.front() == '?') {
    const std::string_view path = parts->rest.substr(0, parts->rest.find_first_of("?#"));
    return root + std::string(path.empty() ? "/" : path) + std::string(location);
  }
  if (has_scheme(location)) {
    return Origin::of(location) ? std::optional(std::string(location)) : std::nullopt;
  }
  const std::string_view path = parts->rest.substr(0, parts->rest.find_first_of("?#"));
  const std::string folder(path.substr(0, path.rfind('/') + 1));
  const std::size_t query = std::min(location.find('?'), location.size());
  return root +
         without_dots((folder.empty() ? "/" : folder) +
                      std::string(location.substr(0, query))) +
         std::string(location.substr(query));
}

std::string url_encode(std::string_view text) {
  constexpr std::string_view k_hex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9');
    if (letter || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += k_hex[byte >> 4];
      encoded += k_hex[byte & 15];
    }
  }
  return encoded;
}

std::string with_query(std::string_view url, std::string_view name,
                       std::string_view value) {
  std::string longer(url);
  longer += url.find('?') == std::string_view::npos ? '?' : '&';
  return longer + std::string(name) + "=" + url_encode(value);
}

}  // namespace oci
