// http_get: requests that follow redirects, and a GET that takes up where an earlier one
// broke off.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "oci/registry/http_client.h"

namespace oci {

struct GetRequest {
  std::string url;
  std::uint64_t offset = 0;     // the body from here on; asks for a Range
  std::uint64_t max_bytes = 0;  // a longer rest is Errc::bad_input; 0: no limit
  // Of the whole file, if it is known: a server that tells another is Errc::mismatch.
  std::optional<std::uint64_t> size = {};
  bool whole = false;        // asks for all, and passes over what is before `offset`
  HttpHeaders headers = {};  // sent to the origin of `url` only, as `tls` is used
  TlsSettings tls = {};
  std::chrono::seconds stall_timeout{30};
  std::chrono::seconds total_timeout{0};
};

struct GetResponse {
  int status = 0;           // of the last hop
  std::string final_url;    // after redirects
  std::uint64_t bytes = 0;  // of body written to the sink
  std::chrono::seconds retry_after{0};
  HttpHeaders headers = {};  // of the last hop
  std::string problem = {};  // the body of what is no 2xx
};

// Sends a request without body, and sends it again to where redirects lead: at most ten;
// never from https to http, never from a public address to a private one (Errc::denied).
// Another origin than that of `request.url` gets the headers Accept and Range alone, and
// none of its TLS settings. `final_url`, if there is one, is told who answered.
HttpResponse send_following(HttpClient& http, const HttpRequest& request, Sink& body,
                            std::stop_token stop, std::string* final_url = nullptr);

// The redirects of send_following(). The first byte written is the one at `offset`, also
// when the server ignores ranges. A server that sends another range might as well have
// answered 416, and that is the status then. A body in a content encoding is
// Errc::unavailable.
GetResponse http_get(HttpClient& http, const GetRequest& request, Sink& body,
                     std::stop_token stop);

}  // namespace oci
