// codes: the stable numbers of this room's errors.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace lithify::code {

// What was asked for.
inline constexpr const char* k_unknown_package = "L0201";
inline constexpr const char* k_unknown_version = "L0202";
inline constexpr const char* k_unsatisfiable = "L0203";
inline constexpr const char* k_virtual_package = "L0204";

// Who was asked.
inline constexpr const char* k_mirror = "L0205";
inline constexpr const char* k_untrusted = "L0206";
inline constexpr const char* k_offline = "L0207";
inline constexpr const char* k_no_image = "L0208";
inline constexpr const char* k_no_platform = "L0209";

// What the lock says.
inline constexpr const char* k_stale_lock = "L0210";
inline constexpr const char* k_other_encoder = "L0211";

}  // namespace lithify::code
