// own_links: what /proc/self would tell a program of itself, where it has no /proc.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace lithify {

// What `path` leads to for the process or thread: /proc/self/exe, cwd, root and
// fd/NUMBER, as seen from within the directory that is its root. nullopt: another path,
// what lies elsewhere, or what we may not see.
std::optional<std::string> own_link(pid_t id, std::string_view path,
                                    std::string_view root);

}  // namespace lithify
