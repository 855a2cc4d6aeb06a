// Layout: an OCI image layout directory as a Repository (image-spec, image-layout.md).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "oci/image/repository.h"

namespace oci {

// Opens the layout in `directory`. Blobs must be regular files (no symlinks). Tags are
// the "org.opencontainers.image.ref.name" annotations of index.json. Throws
// Errc::not_found if there is none, Errc::bad_input if it is something else.
std::unique_ptr<Repository> open_layout(const std::filesystem::path& directory);

// The same, made if absent. index.json changes atomically under a lock, so that parallel
// writers all keep their tags. If `blobs_from` is a DirectoryStore on the same file
// system, blobs it holds are shared by reflink or hard link instead of copied.
class DirectoryStore;
std::unique_ptr<Repository> create_layout(const std::filesystem::path& directory,
                                          const DirectoryStore* blobs_from = nullptr);

// The directory store with names: manifests are blobs, a tag is a small file in
// <store>/names. `store` must outlive it.
std::unique_ptr<Repository> named_store(DirectoryStore& store);

}  // namespace oci
