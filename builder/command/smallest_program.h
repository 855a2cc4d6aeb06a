// smallest_program: an executable file of one processor's that does nothing but end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lithify {

// What it ends with: no status that a program which could not be run would have.
inline constexpr int k_smallest_status = 42;

// A static ELF file for linux on this architecture, as platforms name it ("arm64"): one
// segment, a few instructions, exit(k_smallest_status). nullopt: how that is said there
// is not known here.
std::optional<std::string> smallest_program(std::string_view architecture);

}  // namespace lithify
