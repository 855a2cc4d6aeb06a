// licence: what a Debian copyright file says the licences are, in SPDX's words.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lithify {

// A licence that SPDX has no name for, or not under this one.
struct LicenceReference {
  std::string id;    // "LicenseRef-bash-Latex2e"
  std::string name;  // as the copyright file has it
  bool operator==(const LicenceReference&) const = default;
};

struct Licence {
  std::string expression;  // "GPL-3.0-or-later AND LicenseRef-bash-Latex2e"
  std::vector<LicenceReference> references;  // those in it, by id
  bool operator==(const Licence&) const = default;
};

// The licences of all files of a package, joined by AND: every `License` of the
// paragraphs with `Files`, and that of the first, each once and sorted. Reads the
// machine-readable format 1.0 (copyright-format(7)); nullopt for any other text, for one
// that names no licence or more than 200, or a licence in more than 500 bytes. `package`
// makes the names of references its own: two packages may call different licences
// `custom`.
std::optional<Licence> read_licence(std::string_view text, std::string_view package);

}  // namespace lithify
