// registry_access: the registries as this user, environment and machine reach them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/registry/http_client.h"
#include "oci/registry/keychain.h"
#include "oci/registry/registries.h"
#include "oci/registry/registry_client.h"
#include "oci/registry/registry_config.h"

#include "builder/cli/environment.h"

namespace lithify {

struct RegistryOptions {
  std::string auth_file;         // --authfile; empty: what the environment says
  std::uint64_t chunk_size = 0;  // --chunk-size, bytes; 0: by the host
  oci::RetryPolicy retry = {.attempts = 6};
  std::function<void(const std::string&)> warn;
  std::stop_token stop;
};

// Where credentials are looked for: --authfile, then what docker, podman and skopeo read.
oci::KeychainPlaces keychain_places(const Environment& environment,
                                    const std::string& auth_file);

// Owns what registries are made of. One for each run; `http` outlives it.
class RegistryAccess {
 public:
  RegistryAccess(oci::HttpClient& http, const Environment& environment,
                 const RegistryOptions& options);

  // As Registries::open().
  std::unique_ptr<oci::RegistryClient> open(
      const std::string& name, oci::Access access,
      const std::vector<std::string>& mount_from = {}) {
    return registries_.open(name, access, mount_from);
  }
  oci::Registries& registries() { return registries_; }
  oci::Keychain& keychain() { return *keychain_; }
  const oci::RegistryConfig& config() const { return config_; }

 private:
  std::unique_ptr<oci::Keychain> keychain_;
  oci::RegistryConfig config_;
  oci::Registries registries_;
};

}  // namespace lithify
