// Authorizer: the Authorization header for one repository of one server.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
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
};

// How a registry wants to be asked, learned from its answers. Safe to share between
// threads: one fetches a token, the others wait for it.
class Authorizer {
 public:
  Authorizer(HttpClient& http, Keychain& keys, AuthorizerSettings settings);
  ~Authorizer();

  // What to send as "Authorization" for `scopes`; nullopt as long as nobody asked. A
  // token that ends within `needed` is renewed first.
  std::optional<Secret> header(const Scopes& scopes, std::chrono::seconds needed,
                               std::stop_token stop);

  // A 401 to a request that had `sent` (nullopt: none), with its challenges. After it
  // returns, header() gives something else, and the request is worth sending again.
  // Throws Errc::denied when it is not: the same was refused before, there is no
  // credential, or the server sends our secret where it does not belong. The error names
  // the host, where the credential came from, and what to type.
  void challenged(const HttpResponse& answer, const std::optional<Secret>& sent,
                  const Scopes& scopes, std::stop_token stop);

  // For people: "the password of me from ~/.docker/config.json, key ghcr.io", "no
  // credentials (looked in …)".
  std::string credential_used() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oci
