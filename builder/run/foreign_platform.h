// foreign_platform: whether this machine can run another architecture's programs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "oci/base/descriptor.h"

namespace lithify {

// What the kernel calls this machine, and where it tells of its interpreters.
struct Machine {
  std::string_view name;  // uname's: "x86_64"
  std::filesystem::path interpreters = "/proc/sys/fs/binfmt_misc";
};

// Errc::machine, with what to install, unless programs for `platform` run on the machine,
// by themselves or through qemu-user registered with binfmt_misc. Its registration must
// have been made with the flag F, as Debian's is, because the sandbox has no interpreter.
void require_runnable(const oci::Platform& platform, const Machine& machine);

// The same for the machine that this is.
void require_runnable(const oci::Platform& platform);

}  // namespace lithify
