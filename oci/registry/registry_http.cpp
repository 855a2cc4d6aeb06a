#include "oci/registry/registry_http.h"

#include <algorithm>

#include "oci/base/error.h"
#include "oci/registry/patience.h"

namespace oci {

namespace {

// A challenge, a token that had ended, a helper's new password: more is a circle.
constexpr int k_max_challenges = 4;
// A body of so many bytes takes longer than the last minute of a token may.
constexpr std::uint64_t k_long_body = 8 << 20;
constexpr std::chrono::seconds k_short{10};
constexpr std::chrono::seconds k_long{60};

}  // namespace

void HostPace::wait_turn(const Origin& origin, const std::stop_token& stop) {
  std::chrono::steady_clock::time_point until;
  {
    const std::lock_guard lock(mutex_);
    const auto found = until_.find(origin);
    if (found == until_.end()) return;
    until = found->second;
  }
  const auto now = std::chrono::steady_clock::now();
  if (until <= now) return;
  wait_or_stop(std::chrono::ceil<std::chrono::milliseconds>(until - now), stop);
}

void HostPace::rest(const Origin& origin, std::chrono::seconds time) {
  constexpr std::chrono::seconds k_most{300};
  const auto until = std::chrono::steady_clock::now() + std::min(time, k_most);
  const std::lock_guard lock(mutex_);
  auto& known = until_[origin];
  known = std::max(known, until);
}

struct RegistryHttp::Server {
  Endpoint endpoint;
  Authorizer authorizer;
  std::mutex mutex;
  Scopes scopes;

  Server(const Tools& tools, Endpoint at, Scopes wanted)
      : endpoint(std::move(at)),
        authorizer(tools.http, tools.keys,
                   {endpoint.origin, endpoint.domain, endpoint.path, tools.trusted_realms,
                    endpoint.tls}),
        scopes(std::move(wanted)) {}

  Scopes current_scopes() {
    const std::lock_guard lock(mutex);
    return scopes;
  }
};

RegistryHttp::RegistryHttp(Tools tools, std::vector<Endpoint> endpoints, Scopes scopes)
    : tools_(std::move(tools)) {
  for (Endpoint& endpoint : endpoints) {
    Scopes wanted =
        endpoint.mirror ? Scopes{"repository:" + endpoint.path + ":pull"} : scopes;
    servers_.push_back(
        std::make_unique<Server>(tools_, std::move(endpoint), std::move(wanted)));
  }
}

RegistryHttp::~RegistryHttp() = default;

HttpResponse RegistryHttp::send(const HttpRequest& request, Sink& body,
                                std::stop_token stop) {
  Server* server = server_of(request.url);
  if (server == nullptr) return tools_.http.send(request, body, stop);
  HttpRequest asked = request;
  asked.tls = server->endpoint.tls;
  asked.public_only = false;  // it is where the user sends us
  const bool is_long = request.body && request.body->size > k_long_body;
  for (int round = 0;; ++round) {
    tools_.pace.wait_turn(server->endpoint.origin, stop);
    const Scopes scopes = server->current_scopes();
    const auto secret =
        server->authorizer.header(scopes, is_long ? k_long : k_short, stop);
    asked.headers = request.headers;
    if (secret) asked.headers.emplace_back("Authorization", secret->reveal());
    HttpResponse answer = tools_.http.send(asked, body, stop);
    if (answer.retry_after.count() > 0 &&
        (answer.status == 429 || answer.status == 503)) {
      tools_.pace.rest(server->endpoint.origin, answer.retry_after);
    }
    if (answer.status != 401 || round == k_max_challenges) return answer;
    server->authorizer.challenged(answer, secret, scopes, stop);
  }
}

std::size_t RegistryHttp::count() const {
  return servers_.size();
}

const Endpoint& RegistryHttp::endpoint(std::size_t which) const {
  return servers_.at(which)->endpoint;
}

std::string RegistryHttp::base(std::size_t which) const {
  const Endpoint& at = endpoint(which);
  return at.origin.str() + "/v2/" + at.path;
}

void RegistryHttp::also(const std::string& scope) {
  Server& primary = *servers_.back();
  const std::lock_guard lock(primary.mutex);
  if (std::find(primary.scopes.begin(), primary.scopes.end(), scope) ==
      primary.scopes.end()) {
    primary.scopes.push_back(scope);
  }
}

std::string RegistryHttp::credential_used() const {
  return servers_.back()->authorizer.credential_used();
}

// The primary comes last, but it decides where two have one origin.
RegistryHttp::Server* RegistryHttp::server_of(const std::string& url) {
  const auto origin = Origin::of(url);
  Server* found = nullptr;
  for (const auto& server : servers_) {
    if (server->endpoint.origin != origin) continue;
    if (url.rfind(server->endpoint.origin.str() + "/v2/" + server->endpoint.path + "/",
                  0) == 0) {
      return server.get();
    }
    found = server.get();
  }
  return found;
}

}  // namespace oci
