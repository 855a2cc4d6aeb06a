// token_request: one bearer token from a token server.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "oci/registry/authorizer.h"
#include "oci/registry/http_client.h"
#include "oci/registry/keychain.h"
#include "oci/registry/secret.h"

namespace oci {

struct TokenRequest {
  std::string url;  // of the realm
  std::string service = {};
  Scopes scopes = {};
  std::optional<Credential> credential = {};  // nullopt: anonymously
  TlsSettings tls = {};
  bool public_only = false;  // HttpRequest's
};

struct Token {
  Secret text;
  std::chrono::seconds lifetime{60};
};

struct TokenAnswer {
  std::optional<Token> token;
  HttpResponse refusal = {};  // without a token: 400, 401 or 403
};

// The distribution token specification: GET with Basic for passwords and for nobody, POST
// of a refresh token for identity tokens, and that as Basic's password where a server
// answers 404 or 405. No redirect is followed (Errc::denied), offline tokens are not
// asked for, and at most 256 KiB are read. Anything but a token and a refusal is thrown,
// as server_error() has it.
TokenAnswer request_token(HttpClient& http, const TokenRequest& request,
                          std::stop_token stop);

// "Basic …" of RFC 7617.
Secret basic_header(const std::string& username, const Secret& password);

}  // namespace oci
