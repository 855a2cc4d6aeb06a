// UnpackedPackage: one unpacked package with its control members understood.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci/store/blob_store.h"

#include "builder/tree/tree.h"

namespace lithify {

struct UnpackedPackage {
  std::string name;
  std::string architecture;
  std::string version;
  // Of the control file, in its order; a value keeps its continuation lines.
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<std::string> conffiles;  // paths without leading slash
  // maintainer scripts: "preinst", "postinst", … to their text.
  std::vector<std::pair<std::string, std::string>> scripts;
  Tree tree;  // as unpack_deb made it

  const std::string* field(std::string_view key) const;  // case does not matter
  const std::string* script(std::string_view kind) const;
  bool replaces(const UnpackedPackage& other) const;  // versions are not looked at
  // What dpkg calls it in its database: the architecture is named where Multi-Arch is
  // "same".
  std::string database_name() const;
};

// Reads the text of a control file, and nothing beside it. Errors as read_package.
UnpackedPackage read_control(std::string_view control, const std::string& expected);

// Reads what unpack_deb made. Errc::bad_input if the control file is malformed or names
// another package than `expected` ("name:architecture=version").
UnpackedPackage read_package(const Tree& tree, const std::string& expected,
                             const oci::BlobStore& store);

// The bytes of a small regular file of the tree, or nullopt if there is none.
std::optional<std::string> read_member(const Tree& tree, std::string_view path,
                                       const oci::BlobStore& store);

}  // namespace lithify
