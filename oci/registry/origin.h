// Origin: scheme, host and port: how far a secret may travel.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oci {

// RFC 6454. Two URLs of one origin talk to one server as far as names can tell.
struct Origin {
  std::string scheme;      // "http" or "https"
  std::string host;        // lower case, IPv6 with its brackets
  std::uint16_t port = 0;  // the scheme's own if the URL names none

  // nullopt if it is no http or https URL with a host, or has user information: secrets
  // do not belong there.
  static std::optional<Origin> of(std::string_view url);
  bool is_secure() const { return scheme == "https"; }
  // Names and addresses of this machine: localhost, *.localhost, 127.0.0.0/8, [::1].
  bool is_loopback() const;
  std::string str() const;  // "https://ghcr.io", "http://localhost:5000"

  auto operator<=>(const Origin&) const = default;
};

// A Location as a URL: absolute, or relative to `base` (RFC 3986, 5.2, but nothing is
// decoded, sorted or normalised: servers put sealed state there). nullopt if it is none.
std::optional<std::string> resolve_url(std::string_view base, std::string_view location);

// Percent-encodes everything but unreserved characters.
std::string url_encode(std::string_view text);
// `url` with "name=value" behind its query, or as its query.
std::string with_query(std::string_view url, std::string_view name,
                       std::string_view value);

}  // namespace oci
