// http_get: a GET that follows redirects and takes up where an earlier one broke off.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>

#include "oci/registry/http_client.h"

namespace oci {

struct GetRequest {
  std::string url;
  std::uint64_t offset = 0;     // the body from here on; asks for a Range
  std::uint64_t max_bytes = 0;  // a longer rest is Errc::bad_input; 0: no limit
  HttpHeaders headers = {};     // sent to the origin of `url` only, as `tls` is used
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

// At most ten redirects; never from https to http, never from a public address to a
// private one (Errc::denied). The first byte written is the one at `offset`, also when
// the server ignores ranges; a body in a content encoding, or of another range, is
// Errc::unavailable.
GetResponse http_get(HttpClient& http, const GetRequest& request, Sink& body,
                     std::stop_token stop);

}  // namespace oci
