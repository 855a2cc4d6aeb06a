// provenance_names: the words of our build type that SLSA leaves to us.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace lithify::names {

inline constexpr const char* k_builders = "https://lithify.dev/builder/";
// Annotations of resolved dependencies.
inline constexpr const char* k_role = "dev.lithify.role";
inline constexpr const char* k_platform = "dev.lithify.platform";
inline constexpr const char* k_index = "dev.lithify.index";
inline constexpr const char* k_directory = "dev.lithify.directory";
inline constexpr const char* k_redacted = "dev.lithify.redacted";
// And the SHA-256 of a public key: the lock says that it signed the base.
inline const std::string k_verified_by = "dev.lithify.verified-by.sha256-";
// Roles.
inline constexpr const char* k_build_file = "build-file";
inline constexpr const char* k_lock = "lock";
inline constexpr const char* k_local_source = "local-source";
inline constexpr const char* k_checkout = "checkout";
// The digest of an imported tree, which is that of its text (builder/tree/tree_text.cpp),
// not of any file.
inline constexpr const char* k_tree = "lithifyTree";
inline constexpr const char* k_yaml = "application/yaml";
inline constexpr const char* k_text = "text/plain";

}  // namespace lithify::names
