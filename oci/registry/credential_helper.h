// credential_helper: the programs docker-credential-NAME, which keep passwords for us.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "oci/registry/keychain.h"
#include "oci/registry/secret.h"

namespace oci {

// github.com/docker/docker-credential-helpers: one program for each store, found along
// PATH, that is told an action as its word and a server on its standard input. It
// inherits our environment. No shell is involved, and no secret stands in its words or
// its environment. Each call starts the program once, waits at most 30 seconds, reads at
// most 64 KiB, and ends it when `stop` is requested (Cancelled).
//
// A helper that fails is Errc::denied with what it says, made harmless; one that is not
// there is too, since to go on without it could show the wrong secret.
class CredentialHelper {
 public:
  // `name` without "docker-credential-". Errc::bad_input if it is more than letters,
  // digits, ".", "_" and "-": it comes from a file and would become a path.
  explicit CredentialHelper(std::string name);

  // What it keeps for `server` (a host, or the URL of Docker Hub); nullopt if nothing.
  // The user name "<token>" makes the secret an identity token.
  std::optional<Credential> get(const std::string& server, std::stop_token stop) const;
  void store(const std::string& server, const std::string& username, const Secret& secret,
             std::stop_token stop) const;
  // False if there was nothing to erase.
  bool erase(const std::string& server, std::stop_token stop) const;

  const std::string& program() const { return program_; }

 private:
  std::string program_;
};

}  // namespace oci
