// Keychain: credentials by registry, from the files and helpers that other tools keep.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/registry/secret.h"

namespace oci {

struct Credential {
  // A password, an OAuth2 refresh token ("identity token"), a ready bearer token.
  enum class Kind { password, identity_token, registry_token } kind = Kind::password;
  std::string username = {};
  Secret secret = {};
  // For people: "/home/me/.docker/config.json, key ghcr.io", "the helper
  // docker-credential-pass (… )". Never the secret.
  std::string origin = {};
};

// "the password of me from /home/me/.docker/config.json, key ghcr.io".
std::string credential_for_people(const Credential& credential);

class Keychain {
 public:
  virtual ~Keychain() = default;
  // What to show to `domain` ("docker.io", "localhost:5000") for its repository `path`
  // (may be empty). nullopt: nothing is known, ask anonymously. With `fresh` helpers are
  // asked again: they mint passwords that expire. Throws Errc::denied if a helper fails:
  // going on without it could send the wrong secret. Safe to share between threads.
  virtual std::optional<Credential> find(const std::string& domain,
                                         const std::string& path, bool fresh,
                                         std::stop_token stop) = 0;
  // Every place find() looks at, in its order, whether it is there or not: for messages.
  virtual std::vector<std::string> places() const = 0;
};

// Where files may be; empty members are not looked at.
struct KeychainPlaces {
  std::filesystem::path auth_file = {};  // --authfile, REGISTRY_AUTH_FILE: only this one
  std::string docker_auth_config = {};   // DOCKER_AUTH_CONFIG, the text
  std::filesystem::path docker_config = {};      // DOCKER_CONFIG, a directory
  std::filesystem::path runtime_directory = {};  // XDG_RUNTIME_DIR, or /run/user/UID
  std::filesystem::path config_home = {};        // XDG_CONFIG_HOME, or ~/.config
  std::filesystem::path home = {};
};

// Reads when asked, in this order: the auth file alone if there is one; else
// DOCKER_AUTH_CONFIG for hosts that it names, $DOCKER_CONFIG/config.json,
// <runtime>/containers/auth.json, <config home>/containers/auth.json,
// ~/.docker/config.json, ~/.dockercfg. Within a file: keys from the longest
// (host/a/b) to the host, then its helper, then its store; docker.io is found under
// all its names. The first file with any answer wins.
std::unique_ptr<Keychain> file_keychain(KeychainPlaces places);

}  // namespace oci
