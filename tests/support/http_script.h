// HttpScript: an HttpClient that is a function, and remembers what it was asked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"

// What went over the wire, with the body as text.
struct HttpAsked {
  std::string method;
  std::string url;
  oci::HttpHeaders headers;
  std::string body;
  bool public_only = false;

  // Empty if there is none.
  std::string header(std::string_view name) const {
    for (const auto& [known, value] : headers) {
      if (known == name) return value;
    }
    return {};
  }
};

class HttpScript final : public oci::HttpClient {
 public:
  // The answer to a request. `problem` is its body, whatever the status.
  using Script = std::function<oci::HttpResponse(const oci::HttpRequest&)>;

  explicit HttpScript(Script script) : script_(std::move(script)) {}

  // One request at a time, in the order they come.
  oci::HttpResponse send(const oci::HttpRequest& request, oci::Sink& body,
                         std::stop_token stop) override {
    if (stop.stop_requested()) throw oci::Cancelled();
    const std::lock_guard lock(mutex_);
    HttpAsked heard{request.method, request.url, request.headers, "",
                    request.public_only};
    if (request.body) {
      heard.body = oci::read_all(*request.body->open(0), request.body->size, "a body");
    }
    asked_.push_back(std::move(heard));
    oci::HttpResponse response = script_(request);
    if (response.status / 100 == 2) {
      if (request.max_bytes != 0 && response.problem.size() > request.max_bytes) {
        throw oci::Error(oci::Errc::bad_input, request.url + " is too long");
      }
      if (request.on_answer) request.on_answer(response);
      body.write(oci::as_bytes(response.problem));
      response.bytes = response.problem.size();
      response.problem.clear();
    }
    return response;
  }

  std::vector<HttpAsked> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  // An answer with a body.
  static oci::HttpResponse answer(int status, std::string body = "",
                                  oci::HttpHeaders headers = {}) {
    oci::HttpResponse response;
    response.status = status;
    response.headers = std::move(headers);
    response.problem = std::move(body);
    return response;
  }

 private:
  Script script_;
  mutable std::mutex mutex_;
  std::vector<HttpAsked> asked_;
};
