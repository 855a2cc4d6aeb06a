#include "builder/run/foreign_platform.h"

#include <algorithm>
#include <array>
#include <string>
#include <sys/utsname.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::uint64_t k_max_registration = 4096;

// GOARCH, which platforms are named by, and what kernel and qemu call it.
struct Architecture {
  std::string_view platform;
  std::string_view machine;
  std::string_view qemu;
};
constexpr std::array k_architectures = {
    Architecture{"amd64", "x86_64", "x86_64"},
    Architecture{"arm64", "aarch64", "aarch64"},
    Architecture{"arm", "armv7l", "arm"},
    Architecture{"386", "i686", "i386"},
    Architecture{"ppc64le", "ppc64le", "ppc64le"},
    Architecture{"riscv64", "riscv64", "riscv64"},
    Architecture{"s390x", "s390x", "s390x"},
};

const Architecture* find(std::string_view platform) {
  const auto* found =
      std::find_if(k_architectures.begin(), k_architectures.end(),
                   [&](const Architecture& one) { return one.platform == platform; });
  return found == k_architectures.end() ? nullptr : found;
}

// binfmt_misc: "enabled", then "interpreter …" and "flags: …" a line each.
bool is_registered(const std::filesystem::path& registration) {
  std::error_code problem;
  if (!std::filesystem::exists(registration, problem)) return false;
  const std::string text = oci::read_file(registration, k_max_registration);
  const std::size_t flags = text.find("flags:");
  return text.starts_with("enabled") && flags != std::string::npos &&
         text.substr(flags, text.find('\n', flags) - flags).find('F') !=
             std::string::npos;
}

}  // namespace

void require_runnable(const oci::Platform& platform, const Machine& machine) {
  const Architecture* architecture = find(platform.architecture);
  if (architecture == nullptr || architecture->machine == machine.name) return;
  const std::string qemu = fmt::format("qemu-{}", architecture->qemu);
  if (is_registered(machine.interpreters / qemu)) return;
  throw Error(Errc::machine, fmt::format("programs for {} do not run on this machine, "
                                         "which is {}",
                                         platform.str(), machine.name))
      .add_note(fmt::format("no {} is registered with binfmt_misc, flag F", qemu))
      .add_hint(
          "sudo apt-get install qemu-user-static, or move the step to a stage with "
          "`platform: build`");
}

void require_runnable(const oci::Platform& platform) {
  struct utsname name {};
  if (::uname(&name) != 0) return;
  require_runnable(platform, {name.machine});
}

}  // namespace lithify
