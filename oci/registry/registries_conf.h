// registries_conf: one file of containers-registries.conf(5) as values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "oci/base/error.h"

namespace oci {

// A [[registry.mirror]].
struct MirrorRule {
  std::string location;  // "mirror.example:5000/hub", without "/" at its end
  bool insecure = false;
  bool tags = true;  // pull-from-mirror and mirror-by-digest-only, together
  bool digests = true;
};

// A [[registry]].
struct RegistryRule {
  std::string prefix;    // "docker.io", "quay.io/a/b", "*.example.com"
  std::string location;  // what takes the place of what matched; empty: nothing does
  bool insecure = false;
  bool blocked = false;
  std::vector<MirrorRule> mirrors = {};
  Place place = {};  // of the rule
};

// Reads the file. Keys that do not say how a server is reached are passed over. Throws
// Errc::bad_input, with file and line: what is no TOML, values of a wrong type, names
// that cannot be one, the format of version 1, more than 1 MiB, 1,000 registries or 100
// mirrors of one.
std::vector<RegistryRule> read_registries_conf(const std::filesystem::path& file);

}  // namespace oci
