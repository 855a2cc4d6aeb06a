// Inventory: what is in an image: packages, files with their hashes, and which of the two
// brought what. The forms of an SBOM are written from it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"

#include "builder/attest/licence.h"
#include "builder/plan/lock.h"
#include "builder/tree/tree.h"

namespace lithify {

// What brought files: a step of the image, or the image that it stands on.
struct ImagePart {
  std::string text;                   // "packages nginx"
  bool is_base = false;               // at most the first
  std::vector<std::string> packages;  // "name:architecture=version"; installed by it
};

struct InventoryPackage {
  std::string name;
  std::string version;
  std::string architecture;
  std::string source;  // the source package; its own name if nothing is said
  std::string source_version;
  std::string maintainer;      // "Name <address>"; empty: not said
  std::string copyright_file;  // its path in the image; empty: none
  std::optional<Licence> licence;
  std::optional<LockedPackage> locked;  // none: of the base, or put there by hand
  std::size_t part = 0;                 // what brought it
};

struct InventoryFile {
  std::string_view path;  // of the tree's node
  std::array<std::byte, 20> sha1;
  std::array<std::byte, 32> sha256;
  // Into packages; k_no_package: its part alone owns it.
  std::size_t package = 0;
  std::size_t part = 0;
};

struct Inventory {
  static constexpr std::size_t k_no_package = ~std::size_t{0};

  Tree root;                   // what files' paths are views of
  std::string system;          // ID of os-release: "debian"; empty: it has none
  std::string system_version;  // VERSION_ID
  std::vector<ImagePart> parts;
  std::vector<InventoryPackage> packages;  // by name, architecture, version
  std::vector<InventoryFile> files;        // regular files in byte order of their paths
};

// The change of a part with that part's number in every node's origin, for merging with
// others as layers are; those of a base need none.
Tree marked(const Tree& change, std::size_t part);

// Reads all of the image. `root` is merged of marked changes. Packages are those that the
// parts have installed, and those of dpkg's database in the image. Files belong to the
// package they came from; those of a base to the package whose list names them (dpkg's
// info/*.list, or status.d/*.md5sums). Takes Errc::bad_input for a database that cannot
// be read: a package left out in silence would be a lie. The lock gives checksums.
Inventory take_inventory(Tree root, std::vector<ImagePart> parts, const Lock& lock,
                         const oci::BlobStore& store, std::stop_token stop = {});

}  // namespace lithify
