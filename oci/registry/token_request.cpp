// token_request: the two ways to ask, and the answer.
#include "oci/registry/token_request.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

constexpr std::uint64_t k_max_answer = 256 * 1024;
constexpr std::chrono::seconds k_total_timeout{60};
constexpr const char* k_client_id = "lithify";
constexpr const char* k_doing = "asking for a token";
constexpr std::int64_t k_min_lifetime = 60;
constexpr std::int64_t k_max_lifetime = 24 * 60 * 60;

// StringSink's memory would keep the token.
class SecretSink final : public Sink {
 public:
  ~SecretSink() override { take(); }
  void write(Bytes data) override { sink_.write(data); }
  Secret take() { return Secret(std::move(sink_.text)); }

 private:
  StringSink sink_;
};

HttpRequest plain_request(const TokenRequest& request) {
  HttpRequest sent;
  sent.url = request.url;
  sent.headers = {{"Accept", "application/json"}};
  sent.max_bytes = k_max_answer;
  sent.total_timeout = k_total_timeout;
  sent.tls = request.tls;
  sent.public_only = request.public_only;
  return sent;
}

HttpRequest get_request(const TokenRequest& request) {
  HttpRequest sent = plain_request(request);
  if (!request.service.empty()) {
    sent.url = with_query(sent.url, "service", request.service);
  }
  for (const std::string& scope : request.scopes)
    sent.url = with_query(sent.url, "scope", scope);
  sent.url = with_query(sent.url, "client_id", k_client_id);
  if (request.credential) {
    const Credential& credential = *request.credential;
    sent.url = with_query(sent.url, "account", credential.username);
    sent.headers.emplace_back(
        "Authorization", basic_header(credential.username, credential.secret).reveal());
  }
  return sent;
}

HttpRequest post_request(const TokenRequest& request) {
  std::string scope;
  for (const std::string& each : request.scopes)
    scope += (scope.empty() ? "" : " ") + each;
  std::string form = "grant_type=refresh_token&client_id=";
  form += k_client_id;
  if (!request.service.empty()) form += "&service=" + url_encode(request.service);
  if (!scope.empty()) form += "&scope=" + url_encode(scope);
  form += "&refresh_token=" + url_encode(request.credential->secret.reveal());
  HttpRequest sent = plain_request(request);
  sent.method = "POST";
  sent.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  sent.body = body_of(std::move(form));
  return sent;
}

std::chrono::seconds lifetime_of(const nlohmann::json& answer) {
  const auto found = answer.find("expires_in");
  std::int64_t seconds = 0;
  if (found != answer.end() && found->is_number_unsigned()) {
    seconds = static_cast<std::int64_t>(
        std::min<std::uint64_t>(found->get<std::uint64_t>(), k_max_lifetime));
  }
  return std::chrono::seconds(std::clamp(seconds, k_min_lifetime, k_max_lifetime));
}

Secret token_text(const nlohmann::json& answer) {
  for (const char* name : {"token", "access_token"}) {
    const auto found = answer.find(name);
    if (found == answer.end() || !found->is_string()) continue;
    Secret token(found->get<std::string>());
    const std::string& text = token.reveal();
    const bool fine =
        std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!text.empty() && fine) return token;
  }
  return {};
}

// Its text stays out of every message: it is the token.
Token read_token(const Secret& text, const std::string& shown) {
  nlohmann::json answer;
  try {
    answer = parse_json(text.reveal(), "a token");
  } catch (const Error&) {
    // Its own words may repeat a key, and a server could call that as its token.
    throw Error(Errc::unavailable, shown + " answers with what is no JSON object");
  }
  Token token;
  if (answer.is_object()) token = {token_text(answer), lifetime_of(answer)};
  if (token.text.empty()) {
    throw Error(Errc::unavailable, shown + " answers without a token");
  }
  return token;
}

std::string place_of(const std::string& url) {
  return harmless(url_for_people(url), 200);
}

Error redirect_refused(const HttpResponse& answer, const std::string& url) {
  const std::string* location = answer.header("location");
  return Error(
      Errc::denied,
      fmt::format("the token server {} sends us on to {}: requests for tokens "
                  "follow no redirect, since they carry secrets",
                  place_of(url), location == nullptr ? "nowhere" : place_of(*location)));
}

// A server may repeat in its answer what it was sent.
void hide(std::string& text, const std::string& secret) {
  constexpr std::string_view k_shown = "***";
  if (secret.empty()) return;
  for (std::size_t at = text.find(secret); at != std::string::npos;
       at = text.find(secret, at + k_shown.size()))
    text.replace(at, secret.size(), k_shown);
}

void hide(std::string& text, const Credential& credential) {
  const Secret basic = basic_header(credential.username, credential.secret);
  hide(text, credential.secret.reveal());
  hide(text, url_encode(credential.secret.reveal()));
  hide(text, basic.reveal().substr(std::string_view("Basic ").size()));
}

}  // namespace

Secret basic_header(const std::string& username, const Secret& password) {
  const Secret pair(username + ":" + password.reveal());
  return Secret("Basic " + base64_encode(pair.reveal()));
}

TokenAnswer request_token(HttpClient& http, const TokenRequest& request,
                          std::stop_token stop) {
  const bool post =
      request.credential && request.credential->kind == Credential::Kind::identity_token;
  SecretSink body;
  const auto send = [&](const HttpRequest& sent) {
    return during([&] { return fmt::format("{} at {}", k_doing, place_of(request.url)); },
                  [&] { return http.send(sent, body, stop); });
  };
  HttpResponse answer = send(post ? post_request(request) : get_request(request));
  const bool not_known = answer.status == 404 || answer.status == 405;
  if (post && not_known && !request.credential->username.empty()) {
    answer = send(get_request(request));
  }
  if (answer.status >= 200 && answer.status < 300) {
    return {read_token(body.take(), place_of(request.url))};
  }
  if (request.credential) hide(answer.problem, *request.credential);
  if (answer.status == 400 || answer.status == 401 || answer.status == 403) {
    return {std::nullopt, std::move(answer)};
  }
  if (answer.status >= 300 && answer.status < 400) {
    throw redirect_refused(answer, request.url);
  }
  const Error cause = server_error(answer, request.url, k_doing);
  if (cause.code() == Errc::unavailable) throw cause;
  // "Not found" is said of what was to be done with the token.
  throw Error(Errc::denied, cause.what());
}

}  // namespace oci
