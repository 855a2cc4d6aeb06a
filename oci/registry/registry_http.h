// RegistryHttp: an HttpClient that knows the servers of one repository: it adds
// credentials and TLS settings for them, and for nobody else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "oci/registry/authorizer.h"
#include "oci/registry/http_client.h"
#include "oci/registry/registry_config.h"

namespace oci {

// Hosts that asked us to wait. Shared by all transfers of a run and safe between threads.
class HostPace {
 public:
  // Waits until `origin` may be asked again.
  void wait_turn(const Origin& origin, const std::stop_token& stop);
  // The host said 429 or 503; nobody asks it before `time` is over.
  void rest(const Origin& origin, std::chrono::seconds time);

 private:
  std::mutex mutex_;
  std::map<Origin, std::chrono::steady_clock::time_point> until_;
};

// Safe to share between threads, as its parts are.
class RegistryHttp final : public HttpClient {
 public:
  struct Tools {
    HttpClient& http;
    Keychain& keys;
    HostPace& pace;
    std::vector<std::string> trusted_realms = {};
    // Who asks for a longer wait is not waited for: the request that was told so fails.
    std::chrono::milliseconds longest_asked{300'000};
  };
  // `endpoints` in the order to ask them; `scopes` are asked for at the last of them, the
  // primary one, and the pull scope of its own path at each mirror.
  RegistryHttp(Tools tools, std::vector<Endpoint> endpoints, Scopes scopes);
  ~RegistryHttp() override;

  // A request to the origin of an endpoint goes with its credentials, and again after a
  // 401 that can be answered; any other goes bare. Throws Errc::denied where the server
  // cannot be satisfied.
  HttpResponse send(const HttpRequest& request, Sink& body,
                    std::stop_token stop) override;

  std::size_t count() const;  // of endpoints
  const Endpoint& endpoint(std::size_t which) const;
  // "https://host/v2/path" of an endpoint.
  std::string base(std::size_t which) const;
  // A further scope for the primary: a repository to mount from. False if its token
  // server is known to refuse it, or does now: then it is never asked for again.
  bool also(const std::string& scope, std::stop_token stop);
  // For people: what the primary was shown.
  std::string credential_used() const;

 private:
  struct Server;
  Server* server_of(const std::string& url);

  Tools tools_;
  std::vector<std::unique_ptr<Server>> servers_;
};

}  // namespace oci
