// Cause: why two images differ in one place, as far as that can be told from outside.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "oci/image/compare.h"

#include "builder/compare/package_owners.h"

namespace lithify {

// This is a room of its own because it stands between formats and building: it needs the
// layers of images and the habits of Debian, and no recipe, lock or step.

enum class CauseKind {
  unknown,
  clock,     // a time that was written down
  package,   // another version of a package
  encoder,   // the same tar, compressed by another program or otherwise
  base,      // the base is another image now
  mode,      // the permission bits of a file of the user's
  times,     // of files
  source,    // a local source that is not what it was
  epoch,     // `created`
  settings,  // the configuration that the build file asks for
  writer,    // another program wrote this tar or document
};
const char* name_of(CauseKind kind);  // "clock"

struct Cause {
  CauseKind kind = CauseKind::unknown;
  // The thing that did it, if it has a name: a package, a source. Differences with equal
  // kind and name are one to a person.
  std::string name = {};
  std::string
      sentence;  // "the package tzdata is 2026a in the first, 2026b in the second"
  std::string hint = {};  // what to do; may be empty
  std::string evidence =
      {};  // of this one difference: "20:01:14, 20:01:15"; may be empty
  bool operator==(const Cause&) const = default;
};

// What is known beside the two images; what is not stays empty.
struct Surroundings {
  // By platform, of both images.
  std::map<std::string, PackageOwners> first;
  std::map<std::string, PackageOwners> second;
  // How many of the lowest layers come from a base, by platform; and what it is called.
  std::map<std::string, std::size_t> base_layers;
  std::map<std::string, std::string> base_names;
  std::set<std::string> changed_sources;  // local ones, by their names
  std::string locked_encoder;             // of the first; "zstd-1.5.4"
  std::string own_encoder;                // of the second
};

// A package that is not the same in both, with an empty version where it is missing.
struct ChangedPackage {
  std::string name;
  std::string first;
  std::string second;
  bool operator==(const ChangedPackage&) const = default;
};
std::vector<ChangedPackage> changed_packages(const Surroundings& known,
                                             const std::string& platform);

// Pure. The likeliest cause, never certain.
Cause cause_of(const oci::ImageDifference& difference, const Surroundings& known);

}  // namespace lithify
