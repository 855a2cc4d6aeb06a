// settle_formats: files of known formats without what the clock put into them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lithify {

// A Java key store (JKS, versions 1 and 2) of certificates alone under the password that
// Java's own has: its entries by name, each as old as `time`, and a new check sum.
// nullopt if it is anything else, or holds private keys.
std::optional<std::string> settled_keystore(std::string_view bytes, std::int64_t time);

// The directory that a cache of fontconfig's (64 bits, little-endian) is about, "" if it
// is no such cache.
std::string fontconfig_directory(std::string_view bytes);

// That cache, holding for a directory as old as `time`: fontconfig compares it with the
// directory's own.
std::string settled_fontconfig_cache(std::string bytes, std::int64_t time);

}  // namespace lithify
