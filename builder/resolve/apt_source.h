// apt_source: where the suites of an apt source are, and whose signature they must carry.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/resolve/package_source.h"

namespace lithify {

struct SuitePlace {
  std::string suite;
  std::vector<std::string> bases;     // URLs without a trailing slash, best first
  std::vector<std::string> keyrings;  // absolute paths; one good signature is enough
};

// One place per suite of the source. The bases are, of the first that is given:
//   1. the source's uri;
//   2. LITHIFY_APT_MIRROR;
//   3. `apt-mirror = "…"` in the user's config;
//   4. the entries of the machine's apt configuration that have the suite and at least
//      one of the components; without any, its entries of other suites whose URI ends in
//      "/debian", since a mirror of Debian has all its suites.
// A suite that ends in "-security" is looked for in "<base>-security" first when the base
// ends in "/debian", as Debian's own mirrors have it; with 2 and 3 the machine's entries
// for that suite come last. The keyrings are the source's keys, else with 4 the entry's
// Signed-By, else debian-archive-keyring. Throws Errc::not_found if nothing names a
// mirror or a keyring is missing.
std::vector<SuitePlace> suite_places(const AptSource& source,
                                     const AptEnvironment& environment);

// An entry of sources.list or *.sources for binary packages, http and https only.
struct AptEntry {
  std::vector<std::string> uris;
  std::vector<std::string> suites;
  std::vector<std::string> components;
  std::vector<std::string> signed_by;  // paths; fingerprints and inline keys are left out
};

std::vector<AptEntry> parse_sources_list(std::string_view text);  // one line each
std::vector<AptEntry> parse_deb822_sources(std::string_view text,
                                           const std::string& file);
// The value of `apt-mirror`, or empty. Anything else in the file is Errc::bad_input, with
// its line: a setting that is ignored is worse than none.
std::string parse_mirror_setting(std::string_view text, const std::string& file);

}  // namespace lithify
