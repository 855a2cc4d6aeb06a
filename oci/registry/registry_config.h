// RegistryConfig: how the servers of a registry are reached: mirrors, TLS, what is
// blocked or rewritten.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oci/registry/http_client.h"
#include "oci/registry/origin.h"

namespace oci {

// One server and what the repository is called there.
struct Endpoint {
  Origin origin;
  std::string domain;  // whose credentials it gets: "docker.io", "mirror.example:5000"
  std::string path;    // of the repository at this server
  TlsSettings tls = {};
  bool mirror = false;  // for pulls only, and never with the credentials of the registry
  // A tag may be asked of it, or only digests.
  bool tags = true;
  bool digests = true;
  // Also try http if https does not work: `insecure` of registries.conf and nothing else.
  bool may_be_plain = false;
};

// Where the files are.
struct RegistryConfigPlaces {
  // CONTAINERS_REGISTRIES_CONF: only this one, and no drop-ins beside it.
  std::filesystem::path registries_conf = {};
  std::filesystem::path config_home =
      {};  // ~/.config: containers/registries.conf, certs.d
  std::vector<std::filesystem::path> system = {"/etc/containers",
                                               "/usr/share/containers"};
  // Directories of certificates, first hit wins; each holds <host[:port]>/.
  std::vector<std::filesystem::path> certificates = {
      "/etc/containers/certs.d", "/usr/share/containers/certs.d", "/etc/docker/certs.d"};
  std::vector<std::string> insecure = {};  // LITHIFY_INSECURE_REGISTRIES: hosts
};

// The part of containers-registries.conf(5) that names servers: prefix, location,
// insecure, blocked, mirror, mirror-by-digest-only, pull-from-mirror; certs.d. Short
// names are not searched. Read once, when made.
class RegistryConfig {
 public:
  // Throws Errc::bad_input with file and line for a file that cannot be read as such.
  explicit RegistryConfig(RegistryConfigPlaces places);
  ~RegistryConfig();

  // The servers of repository `domain`/`path`: mirrors in their order, then the primary.
  // http only for loopback names and those that are configured insecure. Throws
  // Errc::denied, naming the file, if it is blocked.
  std::vector<Endpoint> endpoints(const std::string& domain,
                                  const std::string& path) const;
  // The last of them alone: what is pushed to.
  Endpoint primary(const std::string& domain, const std::string& path) const;

  // The files that were read, for doctor.
  const std::vector<std::string>& files() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oci
