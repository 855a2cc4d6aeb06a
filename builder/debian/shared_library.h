// shared_library: the name by which the loader looks for an ELF library.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace lithify {

// Gives `size` bytes from `offset` of the file, or fewer at its end.
using ReadAt = std::function<std::string(std::uint64_t offset, std::uint64_t size)>;

// DT_SONAME of a shared library of any class and byte order; nullopt if it has none, is
// no ELF file, or is malformed. Reads at most some hundred kB of it.
std::optional<std::string> soname_of(const ReadAt& read);

}  // namespace lithify
