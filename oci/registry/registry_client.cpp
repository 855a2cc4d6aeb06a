#include "oci/registry/registry_client.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/registry/http_get.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

// An index of nothing has none; old servers need all four to give what they have.
constexpr std::string_view k_accept =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

constexpr std::uint64_t k_max_answer = 4 << 20;

bool is_absent(int status) {
  return status == 404 || status == 410;
}

}  // namespace

RegistryClient::RegistryClient(Registries& shared, std::string name,
                               std::unique_ptr<RegistryHttp> http)
    : shared_(shared), name_(std::move(name)), http_(std::move(http)) {}

RegistryClient::~RegistryClient() = default;

HttpRequest RegistryClient::request_for(std::string method, std::string url) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.max_bytes = k_max_answer;
  return request;
}

HttpRequest RegistryClient::document_request(std::string method, std::string url) {
  HttpRequest request = request_for(std::move(method), std::move(url));
  request.headers = {{"Accept", std::string(k_accept)}};
  return request;
}

// One request until it is answered with what will not change by asking again.
RegistryClient::Answer RegistryClient::ask(const HttpRequest& request,
                                           const std::string& doing, bool is_last) const {
  const std::stop_token stop = shared_.settings().stop;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  Patience patience = shared_.patience();
  while (true) {
    std::optional<Error> failure;
    std::chrono::seconds asked{0};
    try {
      StringSink text;
      HttpResponse answer = reads ? send_following(*http_, request, text, stop)
                                  : http_->send(request, text, stop);
      for (const auto& [name, value] : answer.headers) {
        if (name == "warning")
          shared_.tell(fmt::format("{} warns: {}", domain(), harmless(value)));
      }
      if (!may_pass(answer.status)) return {std::move(answer), std::move(text.text)};
      failure = refusal(answer, request.url, doing);
      asked = answer.retry_after;
    } catch (const Error& e) {
      if (e.code() != Errc::unavailable) throw;
      failure = e;
    }
    if (!is_last) throw Error(*failure);
    patience.lose(*failure, asked, stop);
  }
}

// Of what is there the status is 200 or 206.
HttpResponse RegistryClient::head(HttpRequest request, const std::string& doing) const {
  request.method = "HEAD";
  const HttpResponse answer = ask(request, doing).http;
  if (answer.status == 200 || is_absent(answer.status)) return answer;
  // The answer to HEAD has no body to tell of: the same question with one has.
  request.method = "GET";
  if (request.url.find("/blobs/") != std::string::npos) {
    request.headers.emplace_back("Range", "bytes=0-0");
  }
  return ask(request, doing).http;
}

Error RegistryClient::refusal(const HttpResponse& answer, const std::string& url,
                              const std::string& doing) const {
  Error error = server_error(answer, url, doing);
  if (error.code() == Errc::denied) explain_denial(error);
  return error;
}

void RegistryClient::explain_denial(Error& error) const {
  error.add_note("shown was " + http_->credential_used());
  error.add_hint(fmt::format("log in with `lithify login {}`, or see `lithify doctor {}`",
                             domain(), name_));
}

std::vector<std::string> RegistryClient::explain() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < http_->count(); ++i) {
    const Endpoint& at = http_->endpoint(i);
    lines.push_back(fmt::format("{} {}{}", at.mirror ? "mirror" : "server",
                                http_->base(i),
                                at.tls.verify ? "" : " (certificate not checked)"));
  }
  lines.push_back("shows " + http_->credential_used());
  return lines;
}

}  // namespace oci
