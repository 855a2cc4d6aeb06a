// debian_database: what dpkg and scanners read about the installed packages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "builder/debian/debian_package.h"
#include "builder/debian/installed_root.h"

namespace lithify {

// With the package dpkg among `packages`, or /var/lib/dpkg/status below: dpkg's own
// database (status, info/, triggers/, arch), added to what is there. Otherwise one file
// per package in /var/lib/dpkg/status.d and its md5sums beside it, where scanners look in
// images without dpkg. `packages` are sorted.
void write_database(InstalledRoot& root, std::span<const UnpackedPackage> packages,
                    std::string_view architecture, const oci::BlobStore& store);

struct InstalledPackage {
  std::string name;
  std::string architecture;
  std::string version;
  auto operator<=>(const InstalledPackage&) const = default;
};

// Those that dpkg's database in `root` calls installed.
std::set<InstalledPackage> installed_packages(const InstalledRoot& root);

// The package's paragraph in the order dpkg writes fields, ended by a newline.
std::string status_paragraph(const UnpackedPackage& package, const oci::BlobStore& store);

}  // namespace lithify
