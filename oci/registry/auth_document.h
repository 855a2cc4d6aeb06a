// auth_document: what stands in a config.json, an auth.json or a .dockercfg.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "oci/registry/keychain.h"

namespace oci {

enum class AuthForm {
  config,     // {"auths": {KEY: ENTRY}, "credHelpers": {HOST: NAME}, "credsStore": NAME}
  dockercfg,  // {KEY: ENTRY}
  environment,  // {"auths": {KEY: {"auth": …}}} and nothing else
};

// What docker keeps the login of Docker Hub under.
inline constexpr std::string_view k_hub_key = "https://index.docker.io/v1/";

// A host in lower case; all names of Docker Hub are "docker.io".
std::string registry_name(std::string_view host);

// Whom a key of `auths` means: "https://index.docker.io/v1/" is docker.io, and
// "quay.io/org/app" the path org/app of quay.io. A key with a scheme, or with the path
// v1 or v2, means its host.
struct AuthKey {
  std::string host;
  std::string path = {};
  bool operator==(const AuthKey&) const = default;
};
AuthKey read_auth_key(std::string_view key);

// What docker calls the registry when it talks to a helper: the host, or k_hub_key.
std::string helper_server(const std::string& domain);

// Strict JSON with an object at the top, up to 4 MiB; Errc::bad_input otherwise, and if
// `form` is environment and there is more in it than it may have. `name` is the file's,
// for messages.
nlohmann::json parse_auth_document(std::string_view text, const std::string& name,
                                   AuthForm form);
// nullopt if there is no such file.
std::optional<nlohmann::json> read_auth_document(const std::filesystem::path& file,
                                                 AuthForm form);

// The entry with the longest key that means `domain` and `path` or what is above it. An
// entry without content only says that a helper knows: it is passed over. Errc::bad_input
// if the entry found cannot be read.
std::optional<Credential> find_auth_entry(const nlohmann::json& document, AuthForm form,
                                          const std::string& name,
                                          const std::string& domain,
                                          std::string_view path);

// The name of the helper in charge of `domain`; empty if there is none.
std::string find_auth_helper(const nlohmann::json& document, const std::string& name,
                             const std::string& domain);

}  // namespace oci
