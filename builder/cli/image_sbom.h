// image_sbom: what is in an image that a build has just made, in the forms of an SBOM.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "oci/base/stream.h"

#include "builder/cli/attesting.h"

namespace lithify {

enum class SbomForm { spdx, cyclonedx };

// "spdx" or "cyclonedx"; by the ending of a file's name, ".cdx.json" or ".spdx.json".
// Errc::bad_input with a hint for others.
SbomForm parse_sbom_form(std::string_view name);
SbomForm sbom_form_of_file(std::string_view path);

// The whole SBOM of one platform. Reads every file of the image, and so the layers of its
// base.
void write_sbom(const BuildFacts& facts, const ClaimSubject& subject, SbomForm form,
                oci::Sink& to);

// The same as the predicate of an attestation: where the list of files does not fit into
// one, it is left out, and the document says so.
std::string sbom_predicate(const BuildFacts& facts, const ClaimSubject& subject,
                           SbomForm form);

}  // namespace lithify
