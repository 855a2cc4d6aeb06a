// values: the words of a build file that mean something by themselves.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "oci/base/digest.h"
#include "oci/base/reference.h"

#include "builder/plan/recipe.h"

namespace lithify {

inline constexpr std::size_t k_max_path = 4096;      // bytes
inline constexpr std::size_t k_max_component = 255;  // of a path, and of an attribute

bool has_control(std::string_view text);  // ASCII's control characters

// All take the text after expansion; nullopt or false: it is no such thing.

std::optional<bool> parse_boolean(std::string_view text);  // true, false
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<std::uint32_t> parse_id(std::string_view text);    // of a user or group
std::optional<std::uint32_t> parse_mode(std::string_view text);  // octal, however written
std::optional<std::int64_t> parse_duration(std::string_view text);  // nanoseconds
// Bytes: "15MiB", "2GB", "4096".
std::optional<std::uint64_t> parse_size(std::string_view text);
std::optional<std::string> parse_port(std::string_view text);  // "80/tcp"
std::optional<oci::Digest> parse_sha256(std::string_view text);
std::optional<EpochRule> parse_epoch(std::string_view text);
std::optional<PackageRequest> parse_package(std::string_view text);

// "/srv/www": absolute, without "..", ".", "//" or a slash at the end, and such that a
// file system and a layer can hold it.
std::optional<std::string> parse_image_path(std::string_view text);
// Whether one path is the other or within it; both as parse_image_path() gives them.
bool is_within(std::string_view path, std::string_view directory);
// "src/main.c", "." for everything: below a source's root; a leading "/" means nothing.
std::optional<std::string> parse_source_path(std::string_view text);

bool is_glob(std::string_view text);        // below a source's root
bool is_image_glob(std::string_view text);  // "/var/log/**" or "**/*.pyc"
bool is_identifier(std::string_view text);  // names of sources, images, arguments, steps
bool is_image_name(std::string_view text);  // what a repository may be called
// An image in a registry with a tag or a digest, since what `latest` is nobody says twice
// alike; reference_refusal() says what is wrong with other text.
std::optional<oci::Reference> parse_image_ref(std::string_view text);
// "registry.example/shop/cart", as Reference::name(): no tag and no digest.
std::optional<std::string> parse_repository(std::string_view text);
std::string reference_refusal(std::string_view text);
bool is_account_name(std::string_view text);
bool is_owner(std::string_view text);  // "0:0", "app", "app:web"
bool is_signal(std::string_view text);
bool is_url(std::string_view text);  // http or https, without a user in it
bool is_variable_name(std::string_view text);
bool is_xattr_name(std::string_view text);  // "user.note", "security.capability"
// The bytes of an extended attribute's value, written as setfattr takes it: text, "0s"
// and base64, or "0x" and hex.
std::optional<std::string> parse_xattr_value(std::string_view text);

}  // namespace lithify
