// debian_scripted: what must be laid out so that dpkg itself, in a sandbox, installs
// packages and runs their maintainer scripts. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "builder/debian/debian_install.h"
#include "builder/plan/file_action.h"
#include "builder/tree/tree.h"

namespace lithify {

// `archives` are trees with one file, a .deb, in the order of set.packages.

// The change that makes a root in which dpkg runs: the files of the essential packages
// and of what they depend on, with links of merged /usr, and an empty database. Nothing
// if `below` has a dpkg. Everything has context.mtime, because dpkg will lay it again.
// Errc::bad_input says what the set lacks.
Tree bootstrap_debian(const DebianSet& set, std::span<const Tree> archives,
                      const Tree& below, const DebianContext& context);

// A tree with the archives, as NAME_ARCHITECTURE.deb, and two files: "order", whose lines
// are arguments for one call of dpkg each, and "policy-rc.d", which forbids to start
// services. What `below` has in the same version is left out.
Tree arrange_debian(const DebianSet& set, std::span<const Tree> archives,
                    const Tree& below, const DebianContext& context);

// What `changes` make of `below` together, without what `action` drops.
Tree drop_packaged(const DropPackagedAction& action, std::span<const Tree> changes,
                   const Tree& below);

}  // namespace lithify
