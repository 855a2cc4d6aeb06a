// realm_policy: which token servers may see the secrets of which registries.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/registry/origin.h"

namespace oci {

// The token server that a registry names.
struct Realm {
  std::string url;
  Origin origin;
  bool gets_secrets = false;  // else only anonymous tokens are asked for
  bool named_by_user = false;
};

// Judges `realm` of the registry at `registry`; a relative one belongs to the registry.
// Secrets go to the registry's own host, to hosts of its registrable domain, to token
// servers known to belong to it, and to `trusted` (hosts, or hosts with ports). The text
// comes from a server: it may be an attacker's. Throws Errc::denied if it is no URL, and
// if a registry with https names one with http.
Realm judge_realm(const std::string& realm, const Origin& registry,
                  const std::vector<std::string>& trusted);

// Whether one owner is behind both names. Conservative: the last two labels are equal,
// and they are no suffix under which strangers have names. Never true of addresses.
bool same_registrable_domain(std::string_view a, std::string_view b);

}  // namespace oci
