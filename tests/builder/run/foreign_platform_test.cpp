// foreign_platform: what a machine can run.
#include "builder/run/foreign_platform.h"

#include <fstream>

#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using lithify::Machine;
using lithify::require_runnable;

TEST_CASE("another architecture's programs need an interpreter that the sandbox has") {
  const TemporaryDirectory directory;
  const Machine machine{"x86_64", directory.path()};
  const auto registered = [&](const std::string& text) {
    std::ofstream(directory.path() / "qemu-aarch64") << text;
  };
  CHECK_NOTHROW(require_runnable(*oci::Platform::parse("linux/amd64"), machine));
  CHECK_THROWS_WITH(
      require_runnable(*oci::Platform::parse("linux/arm64"), machine),
      "programs for linux/arm64 do not run on this machine, which is x86_64");
  registered("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OC\n");
  CHECK_THROWS(require_runnable(*oci::Platform::parse("linux/arm64"), machine));
  registered("disabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n");
  CHECK_THROWS(require_runnable(*oci::Platform::parse("linux/arm64"), machine));
  registered("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n");
  CHECK_NOTHROW(require_runnable(*oci::Platform::parse("linux/arm64"), machine));
}
