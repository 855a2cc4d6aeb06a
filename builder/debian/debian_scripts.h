// debian_scripts: which maintainer scripts do something that no finisher imitates.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "builder/debian/debian_package.h"

namespace lithify {

struct ScriptNote {
  std::string package;
  std::vector<std::string> commands;  // names, sorted: "chown", "mkdir", "> /etc/x"
};

// Looks at preinst and postinst as a first installation would run them. Left out are
// commands that only look, that talk to running services, that keep caches or that
// finishers imitate; packages with nothing else are not reported. Sorted by package.
std::vector<ScriptNote> unimitated_scripts(std::span<const UnpackedPackage> packages);

// "openssh-server (chown, mkdir), udev (addgroup)": for one warning.
std::string describe(std::span<const ScriptNote> notes);

}  // namespace lithify
