// archive_digest: the name of what is in an archive, whoever packed it and how.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oci/layer/layer_reader.h"

namespace oci {

// The digest of the members alone: for each, in byte order of path, its type, whether
// somebody may execute it, its link, and the digest of its content. Times, owners, the
// order and the compression of the archive do not count. Reads `archive` to its end.
Digest archive_digest(ArchiveReader& archive);

}  // namespace oci
