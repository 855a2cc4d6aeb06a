// ScriptedHttp: a web in memory. Pages by URL, and faults that happen once each.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"

class ScriptedHttp final : public oci::HttpClient {
 public:
  // What happens instead of, or in the middle of, an ordinary answer.
  struct Fault {
    int status = 0;                 // answers this
    std::uint64_t break_after = 0;  // else: so many bytes, then the connection breaks
    std::chrono::seconds retry_after{0};
  };
  struct Asked {
    std::string url;
    std::uint64_t offset;
  };

  std::map<std::string, std::string> pages;
  std::map<std::string, std::deque<Fault>> faults;  // used up front to back
  std::vector<Asked> asked;

  oci::HttpResponse get(const oci::HttpRequest& request, oci::Sink& body,
                        std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    if (stop.stop_requested()) throw oci::Cancelled();
    asked.push_back({request.url, request.offset});
    Fault fault;
    if (std::deque<Fault>& script = faults[request.url]; !script.empty()) {
      fault = script.front();
      script.pop_front();
      if (fault.status != 0) return {fault.status, request.url, 0, fault.retry_after};
      send(request, body, fault.break_after);
      throw oci::Error(oci::Errc::unavailable, request.url + " broke off");
    }
    if (pages.count(request.url) == 0) return {404, request.url, 0, {}};
    if (request.offset > pages[request.url].size()) return {416, request.url, 0, {}};
    const std::uint64_t sent = send(request, body, UINT64_MAX);
    return {request.offset > 0 ? 206 : 200, request.url, sent, {}};
  }

 private:
  std::uint64_t send(const oci::HttpRequest& request, oci::Sink& body,
                     std::uint64_t most) {
    const std::string text = pages[request.url].substr(request.offset);
    const std::string_view sent =
        std::string_view(text).substr(0, std::min<std::uint64_t>(most, text.size()));
    if (request.max_bytes != 0 && sent.size() > request.max_bytes) {
      throw oci::Error(oci::Errc::bad_input, request.url + " is too long");
    }
    body.write(oci::as_bytes(sent));
    return sent.size();
  }

  std::mutex mutex_;
};
