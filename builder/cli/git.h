// git: what the checkout says that a build file lies in. git is run as a program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "builder/run/import.h"

namespace lithify {

// The time of the commit that is checked out; nullopt outside of git and before the first
// commit. A checkout that git cannot read is an error, because elsewhere it can, and the
// image would differ.
std::optional<std::int64_t> commit_time(const std::string& directory);

// The modes of the index, for `modes: git`. Errc::bad_input with a hint if there is none.
GitModes git_index(const std::string& directory);

// "commit", "describe" and "tag" of the checkout, as far as there are any.
using GitFacts = std::map<std::string, std::string>;
GitFacts git_facts(const std::string& directory);

}  // namespace lithify
