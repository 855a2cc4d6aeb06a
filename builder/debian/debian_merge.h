// debian_merge: the files of all packages, each path from one of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "builder/debian/debian_drop.h"
#include "builder/debian/debian_install.h"
#include "builder/debian/debian_package.h"
#include "builder/debian/installed_root.h"

namespace lithify {

// Lays the data of `packages`, which are sorted by name, into `root` by the rules that
// install_debian documents.
void merge_packages(InstalledRoot& root, std::span<const UnpackedPackage> packages,
                    const DropRules& drop, const DebianContext& context);

}  // namespace lithify
