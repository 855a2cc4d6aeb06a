// auth_file: logins written where docker, and our keychain, look for them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "oci/registry/keychain.h"
#include "oci/registry/secret.h"

namespace oci {

// The file that logins go to: the auth file if there is one, else config.json in the
// docker_config directory, else ~/.docker/config.json. Errc::bad_input if `places` names
// none of them.
std::filesystem::path login_file(const KeychainPlaces& places);

// Keeps the login of `domain` in docker's form. If the file names a helper for it, the
// helper gets the login, and one that stands in the file is taken out: it would be found
// first. Else the file is replaced at one stroke, readable by its owner alone, with all
// else in it as it was; its directory is made. Not safe against another process that
// writes the file at the same time: the later one wins.
// Returns where it went, as a sentence without a full stop.
std::string store_login(const KeychainPlaces& places, const std::string& domain,
                        const std::string& username, const Secret& secret,
                        std::stop_token stop);

// Forgets what store_login() would have kept, under all names of `domain`; keys with a
// path are other logins and stay. nullopt if there was none, else what was done, as a
// sentence without a full stop.
std::optional<std::string> remove_login(const KeychainPlaces& places,
                                        const std::string& domain, std::stop_token stop);

}  // namespace oci
