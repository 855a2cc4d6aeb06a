// key_rule: which keys of a rule signed, and whether they are enough.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "oci/sign/verifier.h"

namespace oci {

// As the constructor of Verifier refuses.
void require_sound(const KeyRule& rule);

// Adds the check "signature" with the keys that signed `payload` to the report. False if
// there is none.
bool check_signature(ObjectReport& report, const KeyRule& rule, std::string_view payload,
                     std::string_view signature);

// What the rule makes of the objects.
VerifyReport judge(const KeyRule& rule, std::vector<ObjectReport> objects);

}  // namespace oci
