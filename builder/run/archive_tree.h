// archive_tree: an archive's members as nodes whose contents are slices of one new blob.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "oci/layer/layer_reader.h"
#include "oci/store/blob_store.h"

#include "builder/tree/tree.h"

namespace lithify {

struct ArchiveTreeRequest {
  std::string name;  // for messages
  // Where a member goes; nullopt leaves it out. Also asked of hard links' targets.
  std::function<std::optional<std::string>(const std::string&)> place;
  // Made of the member's attributes before anything else sees them.
  std::function<void(const oci::Entry&, oci::Attributes&)> adjust;
  std::int64_t implied_mtime = 0;
};

// Reads `from` to its end. A later member replaces an earlier of the same path. A layer's
// whiteouts and opaque marks become nodes.
Tree::Nodes read_archive_tree(oci::ArchiveReader& from, oci::BlobStore& store,
                              const ArchiveTreeRequest& request, std::stop_token stop);

}  // namespace lithify
