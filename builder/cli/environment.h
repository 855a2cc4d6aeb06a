// environment: the variables that the program was started with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lithify {

using Environment = std::map<std::string, std::string>;

// That of the process, read once by main.
Environment read_environment();

// The value of a variable; nullopt if it is not set or empty.
std::optional<std::string> value_of(const Environment& environment,
                                    const std::string& name);

// A decimal number and nothing else.
std::optional<std::int64_t> whole_number(std::string_view text);

}  // namespace lithify
