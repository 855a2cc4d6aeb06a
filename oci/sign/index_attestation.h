// IndexAttestation: what is said about an image, unsigned, as a member of its index: the
// form of BuildKit's attestation-storage.md, which `docker buildx imagetools inspect` and
// Docker Hub show. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/image/repository.h"
#include "oci/sign/statement.h"

namespace oci {

// Nobody signs for it but who signs the index: whom it convinces has trusted the index
// before.
struct IndexAttestation {
  Descriptor manifest;  // of the image that it is about; its platform is set
  std::vector<Statement> statements;
};

// Puts the statements, a manifest for each image that has any, and an index of all that
// `root` has with these manifests behind it; the index is the result. A `root` that is
// the manifest of one image becomes the first entry of a new index with its annotations.
// The result depends on the arguments alone. Errc::bad_input for a root that has such
// members already.
Descriptor put_attested_index(Repository& to, const Descriptor& root,
                              std::span<const IndexAttestation> attestations);

// What put_attested_index() was given, nullopt if `root` has no such members: the index
// without them, or the only image that is left. Nothing is put. The bytes are those of
// before if the index was canonical.
std::optional<Descriptor> without_attestations(const Repository& from,
                                               const Descriptor& root);

}  // namespace oci
