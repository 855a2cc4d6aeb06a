// Pkcs11Uri: where a key is on a token, as people write it (RFC 7512).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "oci/registry/secret.h"

namespace oci {

// A value; hostile text is Errc::bad_input. Limits: 4096 bytes, 32 attributes.
class Pkcs11Uri {
 public:
  static bool is_one(std::string_view text) { return text.starts_with("pkcs11:"); }

  // Refuses attributes that stand twice, broken percent signs, control characters, a PIN
  // that is given in two ways, `pin-source` that is a command, `type` other than private
  // and public, and `module-name`: a path says which. No message has a PIN.
  static Pkcs11Uri parse(std::string_view text);

  // For OpenSSL: what identifies the key, of the kind "private" or "public"; nothing that
  // is secret, and no module.
  std::string of_type(std::string_view type) const;
  // For people, in messages: as written, without PIN and module.
  std::string str() const { return of_type(""); }

  const std::string& module_path() const { return module_path_; }  // empty: not said
  // What pin-value says, or the first line of the file of pin-source; empty: neither.
  Secret pin() const;
  bool has_pin() const { return !pin_value_.empty() || !pin_source_.empty(); }

 private:
  std::map<std::string, std::string> path_;  // as written, percent signs and all
  std::string module_path_;
  std::string pin_source_;  // a file
  Secret pin_value_;
};

}  // namespace oci
