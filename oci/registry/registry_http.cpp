#include "oci/registry/registry_http.h"

#include <algorithm>
#include <optional>
#include <set>

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
  const auto until = std::chrono::steady_clock::now() + time;
  const std::lock_guard lock(mutex_);
  auto& known = until_[origin];
  known = std::max(known, until);
}

struct RegistryHttp::Server {
  Endpoint endpoint;
  Authorizer authorizer;
  std::mutex mutex;
  Scopes scopes;               // the first is the repository's own
  std::set<std::string> fine;  // further ones that a token was given for
  std::set<std::string> refused;
  std::optional<Secret> last_worked;

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
  bool refuses(const std::string& scope) {
    const std::lock_guard lock(mutex);
    return refused.count(scope) > 0;
  }
  Scopes add(const std::string& scope) {
    const std::lock_guard lock(mutex);
    if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end())
      scopes.push_back(scope);
    return scopes;
  }
  void forget(const std::string& scope, bool for_good) {
    const std::lock_guard lock(mutex);
    std::erase(scopes, scope);
    if (for_good) refused.insert(scope);
  }
  // After a token for `asked` came. Which of several was refused is not told: not one
  // that was fine before.
  void settle(const Scopes& asked) {
    if (asked.size() < 2) return;
    const bool all = !authorizer.only_first(asked);
    const std::lock_guard lock(mutex);
    for (std::size_t i = 1; i < asked.size(); ++i) {
      if (all) {
        fine.insert(asked[i]);
      } else if (fine.count(asked[i]) == 0) {
        refused.insert(asked[i]);
        std::erase(scopes, asked[i]);
      }
    }
  }
  bool has_worked(const std::optional<Secret>& secret) {
    const std::lock_guard lock(mutex);
    return secret && secret == last_worked;
  }
  void works(const std::optional<Secret>& secret) {
    const std::lock_guard lock(mutex);
    last_worked = secret;
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
    if (secret) server->settle(scopes);
    asked.headers = request.headers;
    if (secret) asked.headers.emplace_back("Authorization", secret->reveal());
    HttpResponse answer = tools_.http.send(asked, body, stop);
    if (answer.retry_after.count() > 0 && answer.retry_after <= tools_.longest_asked &&
        (answer.status == 429 || answer.status == 503)) {
      tools_.pace.rest(server->endpoint.origin, answer.retry_after);
    }
    if (answer.status < 400 || answer.status == 404) server->works(secret);
    if (answer.status != 401 || round == k_max_challenges) return answer;
    server->authorizer.challenged(answer, secret, scopes, stop,
                                  server->has_worked(secret));
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

bool RegistryHttp::also(const std::string& scope, std::stop_token stop) {
  Server& primary = *servers_.back();
  if (primary.refuses(scope)) return false;
  const Scopes wider = primary.add(scope);
  try {
    if (primary.authorizer.header(wider, k_short, std::move(stop))) primary.settle(wider);
  } catch (const Error& e) {
    // The repository itself can do without.
    primary.forget(scope, e.code() == Errc::denied);
    return false;
  }
  return !primary.refuses(scope);
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
