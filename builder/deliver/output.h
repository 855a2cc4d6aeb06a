// output: an image or its root file system as files of the user's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "oci/base/activity.h"
#include "oci/image/repository.h"
#include "oci/store/directory_store.h"

#include "builder/tree/tree.h"

namespace lithify {

// Every output appears whole or not at all; when making it fails, what was there before
// is untouched. Directories above it are made, and go again if it fails. All throw
// Cancelled when a stop is requested.

// What is delivered, and where its bytes are.
struct Delivery {
  const oci::Repository& from;
  oci::Descriptor root;
  std::string name;  // of the image
  std::stop_token stop = {};
};

// An OCI layout. In one that is there, other images stay and `name` moves. Blobs of
// `store` are shared where the file system can.
void deliver_layout(const Delivery& what, const std::filesystem::path& directory,
                    const oci::DirectoryStore& store, oci::Activity& activity);

void deliver_oci_archive(const Delivery& what, const std::filesystem::path& file);

// `what.root` is the manifest of one platform: the form has no place for more.
void deliver_docker_archive(const Delivery& what, const std::filesystem::path& file);

// A blob as a file: a flat tar that was made in the store.
void deliver_blob(const oci::BlobStore& store, const oci::BlobRef& blob,
                  const std::filesystem::path& file, std::stop_token stop = {});

// Whatever `write` writes.
void deliver_file(const std::filesystem::path& file,
                  const std::function<void(oci::Sink&)>& write);

struct RootfsOptions {
  const oci::BlobStore& store;
  bool privileged = false;  // the caller is root: owners are set and devices made
  std::stop_token stop = {};
};

// The tree as a directory. One that is there is replaced if it is empty or was made by
// this function; anything else is Errc::bad_input. Of several processes that make it at
// once each waits for its turn, and the last one's stays. Users who are not root get the
// files as their own; what they cannot make is told in one warning. A small file beside
// the directory, ".<name>.lithify-rootfs", remembers that it is ours.
void deliver_rootfs(const Tree& tree, const std::filesystem::path& directory,
                    const RootfsOptions& options, oci::Activity& activity);

// The small file beside it.
std::filesystem::path rootfs_mark(const std::filesystem::path& directory);

// Throws what deliver_rootfs would throw because of what stands at `directory` now.
void refuse_foreign_rootfs(const std::filesystem::path& directory);

}  // namespace lithify
