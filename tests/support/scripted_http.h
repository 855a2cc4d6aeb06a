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

  oci::HttpResponse send(const oci::HttpRequest& request, oci::Sink& body,
                         std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    if (stop.stop_requested()) throw oci::Cancelled();
    const std::uint64_t offset = offset_of(request);
    asked.push_back({request.url, offset});
    oci::HttpResponse response;
    Fault fault;
    if (std::deque<Fault>& script = faults[request.url]; !script.empty()) {
      fault = script.front();
      script.pop_front();
      if (fault.status != 0) {
        response.status = fault.status;
        response.retry_after = fault.retry_after;
        return response;
      }
      put(request, offset, body, fault.break_after);
      throw oci::Error(oci::Errc::unavailable, request.url + " broke off");
    }
    if (pages.count(request.url) == 0) {
      response.status = 404;
    } else if (offset > pages[request.url].size()) {
      response.status = 416;
    } else {
      response = put(request, offset, body, UINT64_MAX);
    }
    return response;
  }

 private:
  static std::uint64_t offset_of(const oci::HttpRequest& request) {
    for (const auto& [name, value] : request.headers) {
      if (name == "Range") return std::stoull(value.substr(value.find('=') + 1));
    }
    return 0;
  }

  oci::HttpResponse put(const oci::HttpRequest& request, std::uint64_t offset,
                        oci::Sink& body, std::uint64_t most) {
    oci::HttpResponse response;
    response.status = offset > 0 ? 206 : 200;
    response.headers = {{"content-range", "bytes " + std::to_string(offset) + "-"}};
    const std::string text = pages[request.url].substr(offset);
    const std::string_view sent =
        std::string_view(text).substr(0, std::min<std::uint64_t>(most, text.size()));
    if (request.on_answer) request.on_answer(response);
    body.write(oci::as_bytes(sent));
    response.bytes = sent.size();
    return response;
  }

  std::mutex mutex_;
};
