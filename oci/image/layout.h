// Layout: an OCI image layout directory as a Repository (image-spec, image-layout.md).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "oci/image/referring_repository.h"

namespace oci {

class DirectoryStore;

// Opens the layout in `directory` for reading; nothing in it is changed. Blobs must be
// regular files (no symlinks). Tags are the "org.opencontainers.image.ref.name"
// annotations of index.json; the empty tag is the only image, named or not, if there is
// but one. Manifests with a subject are entries without a name, beside the images, where
// other tools look for them too; reading those that are damaged finds nothing. Throws
// Errc::not_found if there is no layout, Errc::bad_input if it is something else.
std::unique_ptr<ReferringRepository> open_layout(const std::filesystem::path& directory);

// The same for writing too, made if absent; Errc::bad_input in a directory that has
// anything else. index.json changes atomically under a lock, so that parallel writers all
// keep their tags. Damaged blobs are removed where they are found. A blob that
// `blobs_from` holds counts as being here: has() shares it by reflink or hard link, or
// copies it where neither works.
std::unique_ptr<ReferringRepository> create_layout(
    const std::filesystem::path& directory, const DirectoryStore* blobs_from = nullptr);

// The directory store with names: manifests are blobs, a tag is a small file in
// <store>/names. `store` must outlive it.
std::unique_ptr<Repository> named_store(DirectoryStore& store);

// Forgets a name, even one whose file is damaged. False if there is none.
bool remove_name(DirectoryStore& store, std::string_view tag);

}  // namespace oci
