// attached_provenance: the provenance of an image, and who vouches for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "oci/image/referring_repository.h"
#include "oci/sign/verifier.h"

#include "builder/attest/provenance.h"

namespace lithify {

struct FoundProvenance {
  Provenance provenance;
  oci::Digest predicate;          // of its canonical text
  std::vector<std::string> keys;  // names of the trusted keys that signed it; empty: none
};

// Whom to believe; an empty list of keys: anybody.
using TrustedKeys = std::vector<oci::NamedKey>;

// Among the bundles that refer to the manifest, at most 1,000, the first provenance of a
// lithify build that is about it and, if there are keys, that one of them signed. Errc::
// not_found if nobody attached any; Errc::untrusted if none of the keys signed one, with
// a note for each that was passed over.
FoundProvenance find_provenance(const oci::ReferringRepository& from,
                                const oci::Digest& manifest, const TrustedKeys& keys);

// The same from a file: a sigstore bundle, or the predicate alone, which no key can vouch
// for: Errc::untrusted if there are keys.
FoundProvenance read_provenance(const std::string& file, const oci::Digest& manifest,
                                const TrustedKeys& keys);

}  // namespace lithify
