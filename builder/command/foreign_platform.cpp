#include "builder/command/foreign_platform.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <string>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "oci/base/fd.h"
#include "oci/store/temporary_file.h"

#include "builder/command/smallest_program.h"
#include "builder/root/work_directory.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_max_registration = 4096;
constexpr std::chrono::seconds k_patience{60};
constexpr const char* k_elsewhere = "move the step to a stage with `platform: build`";

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
    Architecture{"loong64", "loongarch64", "loongarch64"},
    Architecture{"mips", "mips", "mips"},
    Architecture{"mips64", "mips64", "mips64"},
    Architecture{"mips64le", "mips64le", "mips64el"},
    Architecture{"mipsle", "mipsle", "mipsel"},
    Architecture{"ppc64", "ppc64", "ppc64"},
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

// The processor would run them, but the filter of system calls knows one set of numbers;
// and Debian registers no interpreter for what the processor can do.
bool is_narrow(const Architecture& architecture, const Machine& machine) {
  return (architecture.platform == "386" && machine.name == "x86_64") ||
         (architecture.platform == "arm" && machine.name == "aarch64");
}

std::string machine_name() {
  struct utsname name {};
  return ::uname(&name) == 0 ? name.machine : "";
}

// What binfmt_misc says of one: "enabled" or "disabled", then "interpreter …" and
// "flags: …", a line each. Empty: nothing.
std::string registration_of(const std::string& qemu, const Machine& machine) {
  const fs::path file = machine.registered / qemu;
  std::error_code problem;
  return fs::exists(file, problem) ? oci::read_file(file, k_max_registration) : "";
}

bool has_flag(std::string_view registration, char flag) {
  const std::size_t at = registration.find("flags:");
  if (at == registration.npos) return false;
  const std::string_view line = registration.substr(at, registration.find('\n', at) - at);
  return line.find(flag) != line.npos;
}

fs::path registration_file(const std::string& qemu, const Machine& machine) {
  return machine.registrations / (qemu + ".conf");
}

bool is_installed(const std::string& qemu, const Machine& machine) {
  std::error_code problem;
  return fs::exists(registration_file(qemu, machine), problem);
}

// A package may be there whose registration nobody made, because neither systemd nor
// binfmt-support runs here.
std::string cure_for_unregistered(const std::string& qemu, const Machine& machine) {
  std::error_code problem;
  if (!is_installed(qemu, machine)) {
    const bool known = fs::exists(machine.registered / "register", problem);
    return fmt::format("sudo apt-get install qemu-user-static{}",
                       known ? "" : " (if this is a container: on its machine)");
  }
  const std::string into = (machine.registered / "register").string();
  std::string mount;
  if (!fs::exists(into, problem))
    mount =
        fmt::format("mount -t binfmt_misc binfmt_misc {}; ", machine.registered.string());
  return fmt::format("sudo sh -c '{}cat {} > {}'", mount,
                     registration_file(qemu, machine).string(), into);
}

// Lays out a root that has nothing but the program, and starts it there.
std::string why_not(const std::string& program, const SandboxProbe& probe,
                    const fs::path& work, const std::stop_token& stop) {
  const WorkDirectory directory(work);
  const fs::path root = directory.path() / "root";
  oci::make_directories(root);
  {
    const fs::path path = root / "program";
    const oci::Fd file = oci::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
    oci::write_all(file.get(), oci::as_bytes(program), path.string());
  }
  for (const fs::path& path : {root, root / "program"}) {
    if (::chmod(path.c_str(), 0755) != 0 ||
        (::geteuid() == 0 &&
         ::lchown(path.c_str(), probe.owners.uid.zero, probe.owners.gid.zero) != 0))
      throw oci::write_error(errno, "giving away " + path.string());
  }
  SandboxPlan plan;
  plan.level = probe.level;
  plan.own_name = probe.own_name;
  plan.owners = probe.owners;
  plan.root = root;
  plan.argv = {"/program"};
  plan.limits.wall_time = k_patience;
  try {
    const SandboxOutcome outcome = run_sandbox(plan, SandboxOutput(), stop);
    if (outcome.exit_status == k_smallest_status) return "";
    return outcome.signal != 0
               ? fmt::format("it was ended by signal {}", outcome.signal)
               : fmt::format("it ended with exit status {}", outcome.exit_status);
  } catch (const Error& error) {
    if (error.code() != Errc::bad_input) throw;
    return error.what();
  }
}

}  // namespace

bool is_foreign(const oci::Platform& platform) {
  if (platform.architecture.empty()) return false;
  const Architecture* architecture = find(platform.architecture);
  return architecture == nullptr || architecture->machine != machine_name();
}

bool is_emulated(const Step& step) {
  return std::holds_alternative<Run>(step.operation) && is_foreign(step.platform);
}

Error not_runnable(const oci::Platform& platform, const Machine& machine) {
  Error error(Errc::machine,
              fmt::format("programs for {} do not run on this machine, which is {}",
                          platform.str(), machine.name));
  const Architecture* architecture = find(platform.architecture);
  if (architecture == nullptr) return error.add_hint(k_elsewhere);
  const std::string qemu = fmt::format("qemu-{}", architecture->qemu);
  const std::string registration = registration_of(qemu, machine);
  if (registration.empty() && is_narrow(*architecture, machine)) {
    error.add_note("the sandbox lets no programs of 32 bits call this kernel");
    error.add_hint(k_elsewhere);
  } else if (registration.empty()) {
    error.add_note(fmt::format("no {} is registered with binfmt_misc", qemu));
    const std::string cure = cure_for_unregistered(qemu, machine);
    error.add_hint(is_installed(qemu, machine) ? cure : cure + ", or " + k_elsewhere);
  } else if (!registration.starts_with("enabled")) {
    error.add_note(fmt::format("{} is registered with binfmt_misc, but disabled", qemu));
    error.add_hint(
        fmt::format("sudo sh -c 'echo 1 > {}'", (machine.registered / qemu).string()));
  } else if (!has_flag(registration, 'F')) {
    error.add_note(
        fmt::format("{} is registered with binfmt_misc without the flag F, so "
                    "that a sandbox does not have it",
                    qemu));
    error.add_hint(std::string("register it as Debian's qemu-user-static does, or ") +
                   k_elsewhere);
  }
  return error;
}

std::optional<Error> cannot_run(const oci::Platform& platform, const SandboxProbe& probe,
                                const fs::path& work, const std::stop_token& stop) {
  if (!is_foreign(platform)) return std::nullopt;
  static std::mutex mutex;
  static std::map<std::pair<std::string, SandboxLevel>, std::string> known;
  const std::lock_guard lock(mutex);
  const std::pair key(platform.architecture, probe.level);
  auto found = known.find(key);
  if (found == known.end()) {
    const auto program = smallest_program(platform.architecture);
    found = known
                .emplace(key, program ? why_not(*program, probe, work, stop)
                                      : "nothing is known of its programs")
                .first;
  }
  if (found->second.empty()) return std::nullopt;
  const std::string name = machine_name();
  return not_runnable(platform, {name})
      .add_note("tried with the smallest one: " + found->second);
}

std::string emulation_cure() {
  const std::string name = machine_name();
  return cure_for_unregistered(name == "aarch64" ? "qemu-x86_64" : "qemu-aarch64",
                               {name});
}

std::vector<std::string> emulated_architectures(const SandboxProbe& probe,
                                                const fs::path& work,
                                                const std::stop_token& stop) {
  std::vector<std::string> names;
  for (const Architecture& architecture : k_architectures) {
    const oci::Platform platform{"linux", std::string(architecture.platform), ""};
    if (is_foreign(platform) && !cannot_run(platform, probe, work, stop))
      names.push_back(platform.architecture);
  }
  return names;
}

}  // namespace lithify
