// redact: what a document that strangers read must not say.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace lithify {

// `text` without the user and password of every URL in it: "https://me:word@host/x" is
// "https://host/x". ssh's user name is no secret and stays where it stands alone.
std::string without_credentials(std::string_view text);

}  // namespace lithify
