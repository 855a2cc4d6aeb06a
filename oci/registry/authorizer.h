// Authorizer: the Authorization header for one repository of one server.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/registry/http_client.h"
#include "oci/registry/keychain.h"
#include "oci/registry/origin.h"

namespace oci {

// "repository:library/debian:pull,push"; what is written to stands first, since some
// servers read no further.
using Scopes = std::vector<std::string>;

struct AuthorizerSettings {
  Origin origin;       // the server that asks
  std::string domain;  // as the keychain knows it: "docker.io" for registry-1.docker.io
  std::string path;    // the repository
  std::vector<std::string> trusted_realms = {};  // hosts that may get secrets too
  TlsSettings tls = {};                          // of the origin, and of realms there
  // For tests of what expires; empty: the steady clock.
  std::function<std::chrono::steady_clock::time_point()> clock = {};
};

// How a registry wants to be asked, learned from its answers (distribution token
// specification; RFC 7617). A secret goes to the origin, and to the token server that it
// names if realm_policy.h lets it; any other is asked for anonymous tokens only. Safe to
// share between threads: one fetches a token, the others wait for it.
class Authorizer {
 public:
  Authorizer(HttpClient& http, Keychain& keys, AuthorizerSettings settings);
  ~Authorizer();

  // What to send as "Authorization" for `scopes`, to the origin only; nullopt as long as
  // nobody asked. A token that ends within `needed` is renewed first, unless it has lived
  // less than half its life: a new one would hardly last longer. A token server that
  // refuses several scopes at once is asked for the first alone: see only_first().
  std::optional<Secret> header(const Scopes& scopes, std::chrono::seconds needed,
                               std::stop_token stop);

  // A 401 to a request that had `sent` (nullopt: none), with its challenges. `worked`:
  // the same was good enough for an earlier request, so that it may have ended since.
  // After it returns, header() gives something else, and the request is worth sending
  // again. Throws Errc::denied when it is not: the same was refused before, there is no
  // credential, or the server sends our secret where it does not belong. The error names
  // the host, where the credential came from, and what to type.
  void challenged(const HttpResponse& answer, const std::optional<Secret>& sent,
                  const Scopes& scopes, std::stop_token stop, bool worked = false);

  // True if the token for `scopes` is for the first of them alone, since the token server
  // refused the rest: a mount from another repository will not work then, the push may.
  bool only_first(const Scopes& scopes) const;

  // For people: "the password of me from ~/.docker/config.json, key ghcr.io", "no
  // credentials (looked in …)".
  std::string credential_used() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oci
