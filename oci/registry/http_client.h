// HttpClient: one GET that streams. Retries, resumption and credentials are built on it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "oci/base/stream.h"

namespace oci {

struct HttpRequest {
  std::string url;              // http or https
  std::uint64_t offset = 0;     // the body from here on; asks for a Range
  std::uint64_t max_bytes = 0;  // a longer body is Errc::bad_input; 0: no limit
  // Less than 1 kB a second for so long, or not done by then: Errc::unavailable. 0 for
  // the second: as long as it flows.
  std::chrono::seconds stall_timeout{30};
  std::chrono::seconds total_timeout{0};
};

struct HttpResponse {
  int status = 0;           // 200, 206, 404, …; any status is a value, not an Error
  std::string final_url;    // after redirects (at most five; never https to http)
  std::uint64_t bytes = 0;  // of body written to the sink
  std::chrono::seconds retry_after{0};  // what the server asks us to wait
};

// Safe to share between threads. No connection is an Error of kind unavailable.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // The body of a 200 or 206 goes to `body`; of anything else nowhere. The first byte
  // written is the one at `request.offset`, also when the server ignores ranges. An error
  // of `body` comes out as it is. Throws Cancelled when `stop` is requested.
  virtual HttpResponse get(const HttpRequest& request, Sink& body,
                           std::stop_token stop) = 0;
};

// libcurl, with connections kept alive between calls, proxies and certificates from the
// environment (http_proxy, HTTPS_PROXY, NO_PROXY, …; SSL_CERT_FILE, SSL_CERT_DIR).
std::unique_ptr<HttpClient> curl_http_client();

// A URL fit for messages: no user name, password, query or fragment.
std::string url_for_people(std::string_view url);

}  // namespace oci
