// Registries: what all registry clients of a run share: connections, credentials,
// configuration, the pace of hosts, and what was learned about them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/base/digest.h"
#include "oci/registry/http_client.h"
#include "oci/registry/keychain.h"
#include "oci/registry/patience.h"
#include "oci/registry/registry_config.h"
#include "oci/registry/registry_http.h"

namespace oci {

class RegistryClient;

// What a client will be used for: one token covers it all.
enum class Access { pull, push };

// Ways to send a blob; servers and what stands before them do not take all.
enum class UploadMethod { put, stream, chunks };
struct UploadWay {
  UploadMethod method = UploadMethod::put;
  std::uint64_t chunk = 0;  // bytes of one, once it is known; 0: not yet
};

struct RegistrySettings {
  std::vector<std::string> trusted_realms = {};
  RetryPolicy retry = {};
  int retry_budget = 200;        // of all requests of a run together
  std::uint64_t chunk_size = 0;  // of chunked uploads; 0: by the host
  // A sentence for the user: a wait, a mirror with wrong bytes, a server's Warning.
  std::function<void(const std::string&)> tell = {};
  std::stop_token stop = {};
};

// Safe to share between threads. What it is made of outlives it, and it its clients.
class Registries {
 public:
  Registries(HttpClient& http, Keychain& keys, const RegistryConfig& config,
             RegistrySettings settings);

  // The repository `name` ("docker.io/library/debian", without tag and digest). Nothing
  // is sent before the first call, but one question to a server that is configured
  // insecure: whether it speaks TLS. Throws Errc::denied if it is blocked. What will be
  // mounted comes from the repositories `mount_from`, those of other domains left out: a
  // token for the push covers them too.
  std::unique_ptr<RegistryClient> open(const std::string& name, Access access,
                                       const std::vector<std::string>& mount_from = {});

  // ---- what clients share ------------------------------------------------------------

  HttpClient& http() { return http_; }
  const RegistrySettings& settings() const { return settings_; }
  Patience patience();
  // Tells a sentence once.
  void tell(const std::string& sentence);

  // Repositories that hold a blob, "domain/path", those seen first first: where it can
  // be mounted from.
  void seen(const Digest& blob, const std::string& repository);
  std::vector<std::string> repositories_of(const Digest& blob) const;

  // Manifests and indexes that were read from `repository` ("domain/path"), checked, by
  // digest; some servers count how often they are asked for one. The last few megabytes.
  void remember(const std::string& repository, const Descriptor& which,
                const std::string& document);
  std::optional<std::pair<Descriptor, std::string>> remembered(
      const std::string& repository, const Digest& digest) const;

  // How uploads to a host work; by one PUT until that was refused.
  UploadWay way_to(const Origin& origin) const;
  void learned(const Origin& origin, UploadWay way);

 private:
  void settle(Endpoint& endpoint);

  HttpClient& http_;
  Keychain& keys_;
  const RegistryConfig& config_;
  RegistrySettings settings_;
  HostPace pace_;
  std::atomic<int> budget_;
  mutable std::mutex mutex_;
  std::set<std::string> told_;
  std::map<Digest, std::vector<std::string>> places_;
  std::map<Origin, UploadWay> ways_;
  std::map<std::pair<std::string, Digest>, std::pair<Descriptor, std::string>> documents_;
  std::size_t document_bytes_ = 0;
  std::mutex settling_;
  std::map<Origin, bool> plain_;  // servers that may be: whether they are
};

}  // namespace oci
