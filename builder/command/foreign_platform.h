// foreign_platform: whether this machine can run another architecture's programs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/base/error.h"

#include "builder/plan/step.h"
#include "builder/sandbox/sandbox.h"

namespace lithify {

// Whether programs for `platform` are another processor's than the one that this machine
// has, and so run by an emulator if at all. One that names no processor is the machine's
// own. Any thread.
bool is_foreign(const oci::Platform& platform);

// Whether that is so for the program that the step runs.
bool is_emulated(const Step& step);

// Why no program for `platform` runs in this sandbox, with what to install; nullopt: they
// do, by themselves or through qemu-user registered with binfmt_misc. Found out by
// running one, in a directory below `work`, once for each architecture and level: in
// containers the kernel obeys registrations that nobody sees there. The registration must
// have the flag F, as Debian's has, because the sandbox has no interpreter. Throws
// Errc::machine if it could not be tried. Any thread.
std::optional<oci::Error> cannot_run(const oci::Platform& platform,
                                     const SandboxProbe& probe,
                                     const std::filesystem::path& work,
                                     const std::stop_token& stop);

// All architectures but the machine's own whose programs run in this sandbox, as
// platforms name them. As above.
std::vector<std::string> emulated_architectures(const SandboxProbe& probe,
                                                const std::filesystem::path& work,
                                                const std::stop_token& stop);

// What to type on this machine so that programs of the commonest other processor run.
std::string emulation_cure();

// What the kernel calls this machine, and where its interpreters are told of.
struct Machine {
  std::string_view name;  // uname's: "x86_64"
  std::filesystem::path registered = "/proc/sys/fs/binfmt_misc";
  std::filesystem::path registrations = "/usr/lib/binfmt.d";  // of installed packages
};

// Why none of them ran, as far as the machine tells, and what cures it: Errc::machine.
oci::Error not_runnable(const oci::Platform& platform, const Machine& machine);

}  // namespace lithify
