// foreign_platform: what a machine can run, and why not.
#include "builder/command/foreign_platform.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builder/command/smallest_program.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using lithify::k_smallest_status;
using lithify::Machine;
using lithify::not_runnable;
using lithify::smallest_program;

namespace {

oci::Platform platform(const char* text) {
  return *oci::Platform::parse(text);
}

// A machine with nothing but what a test says of its interpreters.
struct Interpreters {
  TemporaryDirectory directory;
  Machine machine{"x86_64", directory.path() / "binfmt_misc", directory.path() / "conf"};

  void write(const std::filesystem::path& file, const std::string& text) const {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  oci::Error arm64() const { return not_runnable(platform("linux/arm64"), machine); }
};

// This machine's own, as platforms name it.
std::string own_architecture() {
  struct utsname name {};
  REQUIRE(::uname(&name) == 0);
  return name.machine == std::string("aarch64") ? "arm64" : "amd64";
}

int status_of(const std::string& program, const std::filesystem::path& path) {
  std::ofstream(path, std::ios::binary) << program;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return WEXITSTATUS(std::system(path.c_str()));
}

}  // namespace

TEST_CASE("an interpreter that is not installed is installed") {
  const Interpreters given;
  const oci::Error error = given.arm64();
  CHECK(error.code() == oci::Errc::machine);
  CHECK(error.what() ==
        std::string("programs for linux/arm64 do not run on this machine, which is "
                    "x86_64"));
  CHECK(error.notes().at(0) == "no qemu-aarch64 is registered with binfmt_misc");
  CHECK(error.hint() ==
        "sudo apt-get install qemu-user-static (if this is a container: on its machine), "
        "or move the step to a stage with `platform: build`");
  given.write(given.machine.registered / "register", "");
  CHECK(given.arm64().hint().find("container") == std::string::npos);
}

TEST_CASE("an interpreter that is installed is registered") {
  const Interpreters given;
  const std::string conf = (given.machine.registrations / "qemu-aarch64.conf").string();
  const std::string into = (given.machine.registered / "register").string();
  given.write(conf, ":qemu-aarch64:M:…");
  CHECK(given.arm64().hint() == "sudo sh -c 'mount -t binfmt_misc binfmt_misc " +
                                    given.machine.registered.string() + "; cat " + conf +
                                    " > " + into + "'");
  given.write(into, "");
  CHECK(given.arm64().hint() == "sudo sh -c 'cat " + conf + " > " + into + "'");
}

TEST_CASE("an interpreter that is registered in vain is named") {
  const Interpreters given;
  const auto entry = given.machine.registered / "qemu-aarch64";
  given.write(entry, "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OC\n");
  CHECK(given.arm64().notes().at(0).find("without the flag F") != std::string::npos);
  given.write(entry, "disabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n");
  CHECK(given.arm64().hint() == "sudo sh -c 'echo 1 > " + entry.string() + "'");
  given.write(entry, "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n");
  CHECK(given.arm64().notes().empty());
}

TEST_CASE("programs of 32 bits are not run by a processor that could") {
  const Interpreters given;
  const oci::Error error = not_runnable(platform("linux/386"), given.machine);
  CHECK(error.notes().at(0).find("programs of 32 bits") != std::string::npos);
  CHECK(error.hint() == "move the step to a stage with `platform: build`");
}

TEST_CASE("the machine's own platform is not foreign, and all others are") {
  const std::string own = own_architecture();
  CHECK_FALSE(lithify::is_foreign(platform(("linux/" + own).c_str())));
  CHECK(lithify::is_foreign(platform(own == "arm64" ? "linux/amd64" : "linux/arm64")));
  CHECK(lithify::is_foreign(platform("linux/s390x")));
}

TEST_CASE("the smallest program runs and ends with its status") {
  const TemporaryDirectory directory;
  const auto program = smallest_program(own_architecture());
  REQUIRE(program);
  CHECK(status_of(*program, directory.path() / "program") == k_smallest_status);
  CHECK_FALSE(smallest_program("z80"));
}

TEST_CASE("the smallest program is one of the processor that it is for") {
  const auto machine_of = [](const char* architecture) {
    const std::string program = smallest_program(architecture).value_or("");
    REQUIRE(program.size() > 20);
    std::array<unsigned char, 20> head{};
    std::copy_n(program.begin(), head.size(), head.begin());
    const bool little = head[5] == 1;
    return little ? head[18] + 256 * head[19] : head[19] + 256 * head[18];
  };
  CHECK(machine_of("arm64") == 183);
  CHECK(machine_of("s390x") == 22);
  CHECK(machine_of("mips64") == 8);
  CHECK(machine_of("loong64") == 258);
}
