// HttpClient: one HTTP exchange that streams. Redirects, retries, resumption and
// credentials are built on it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci/base/stream.h"

namespace oci {

// In the order sent or received; names as written when sent, in lower case when received.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The body of a request. It is opened again, from any offset, when it must be sent again.
struct HttpBody {
  std::uint64_t size = 0;
  std::function<std::unique_ptr<Source>(std::uint64_t offset)> open;
};
HttpBody body_of(std::string text);

// How a server is to be known, beside the authorities of the machine.
struct TlsSettings {
  bool verify = true;
  std::vector<std::string> authorities = {};  // PEM files, further ones
  std::string certificate = {};               // of the client, PEM files
  std::string key = {};
  auto operator<=>(const TlsSettings&) const = default;
};

struct HttpResponse {
  int status = 0;  // 200, 206, 404, …; any status is a value, not an Error
  HttpHeaders headers = {};
  std::uint64_t bytes = 0;              // of body written to the sink
  std::string problem = {};             // the body of what is no 2xx, up to 64 KiB
  std::chrono::seconds retry_after{0};  // what the server asks us to wait
  bool from_private = false;  // answered by an address that `public_only` would refuse

  // The first of that name (in lower case); nullptr if there is none.
  const std::string* header(std::string_view name) const;
};

struct HttpRequest {
  std::string url;  // http or https, sent byte for byte
  std::string method = "GET";
  HttpHeaders headers = {};
  std::optional<HttpBody> body = {};
  std::uint64_t max_bytes = 0;  // a longer body is Errc::bad_input; 0: no limit
  // Less than 1 kB a second for so long, or not done by then: Errc::unavailable. 0 for
  // the second: as long as it flows. The first does not count while a server thinks about
  // a body that it has got: it may take `think_timeout` for that.
  std::chrono::seconds stall_timeout{30};
  std::chrono::seconds total_timeout{0};
  std::chrono::seconds think_timeout{600};
  TlsSettings tls = {};
  // Told status and headers of a 2xx before the first byte of its body; may throw.
  std::function<void(const HttpResponse&)> on_answer = {};
  // The address connected to must be a public one (none of this machine, of its
  // networks or of a cloud's metadata service), else Errc::denied. Not known, and not
  // checked, behind a proxy.
  bool public_only = false;
};

// Safe to share between threads. No connection is an Error of kind unavailable.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // One exchange: nothing is followed or tried again. The body of a 2xx goes to `body`.
  // An error of `body` comes out as it is. A server may answer before it has all of the
  // request's body: that answer is what counts. Throws Cancelled when `stop` is
  // requested.
  virtual HttpResponse send(const HttpRequest& request, Sink& body,
                            std::stop_token stop) = 0;
};

// libcurl, with connections kept alive between calls, proxies and certificates from the
// environment (http_proxy, HTTPS_PROXY, NO_PROXY, …; SSL_CERT_FILE, SSL_CERT_DIR).
std::unique_ptr<HttpClient> curl_http_client();

// A URL fit for messages: no user name, password, query or fragment.
std::string url_for_people(std::string_view url);

}  // namespace oci
