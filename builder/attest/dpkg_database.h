// dpkg_database: the packages that an image says are installed in it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/tree/tree.h"

namespace lithify {

struct DatabasePackage {
  std::string name;
  std::string architecture;
  std::string version;
  std::string source;          // empty: not said
  std::string source_version;  // empty: not said
  std::string maintainer;
  auto operator<=>(const DatabasePackage&) const = default;
};

// /var/lib/dpkg/status and /var/lib/dpkg/status.d/*, sorted; what is not installed is
// left out. Errc::bad_input for a database that is no such text, has more than 256 MiB or
// 100,000 packages, or a package without name, architecture or version.
std::vector<DatabasePackage> read_database(const Tree& root, const oci::BlobStore& store);

// Which package has which path by dpkg's lists, "name" or "name:architecture"; symlinks
// of directories are followed, as dpkg does. What cannot be read is left out.
std::map<std::string, std::string> read_file_lists(const Tree& root,
                                                   const oci::BlobStore& store);

// The text of a regular file; nullopt if there is none, or a larger one.
std::optional<std::string> read_text(const Tree& root, std::string_view path,
                                     std::uint64_t limit, const oci::BlobStore& store);

}  // namespace lithify
