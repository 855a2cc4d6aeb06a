// debian_order: which package dpkg gets when, so that scripts find what they may rely on.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <vector>

#include "builder/debian/debian_package.h"

namespace lithify {

// What must lie in an empty root before dpkg can run: essential packages, dpkg, and what
// these depend on. Indices into `packages`.
std::set<std::size_t> bootstrap_packages(std::span<const UnpackedPackage> packages);

struct DpkgCall {
  // install: unpack and configure, with dependencies that may not be met yet.
  enum class What { install, unpack, configure } what = What::unpack;
  std::vector<std::size_t> packages;  // indices; what is depended on first
  bool operator==(const DpkgCall&) const = default;
};

// The calls that install `packages`, those of `bootstrap` first and at once. Before a
// package is unpacked all that it pre-depends on, and what that depends on, is configured
// (policy 7.2). What is left over, `dpkg --configure --pending` configures. Ties go by
// name, so that the calls do not depend on the order of `packages`. Relations to what is
// not among them count as met.
std::vector<DpkgCall> dpkg_calls(std::span<const UnpackedPackage> packages,
                                 const std::set<std::size_t>& bootstrap);

}  // namespace lithify
