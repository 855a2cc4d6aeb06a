// expand: "$NAME" and "${NAME}" in a text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lithify {

// The value of a variable; nullopt leaves it in the text as it is written.
using VariableValue = std::function<std::optional<std::string>(const std::string& name)>;

// Values are not expanded again. A "$" that no name of letters, digits and "_" follows is
// itself.
std::string expand_variables(std::string_view text, const VariableValue& value);

}  // namespace lithify
