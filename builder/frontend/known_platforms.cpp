#include "builder/frontend/known_platforms.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

constexpr std::string_view k_platforms[] = {
    "linux/386",      "linux/amd64",   "linux/amd64/v2", "linux/amd64/v3",
    "linux/amd64/v4", "linux/arm/v5",  "linux/arm/v6",   "linux/arm/v7",
    "linux/arm64",    "linux/loong64", "linux/mips",     "linux/mips64",
    "linux/mips64le", "linux/mipsle",  "linux/ppc64",    "linux/ppc64le",
    "linux/riscv64",  "linux/s390x"};

}  // namespace

bool is_known(const oci::Platform& platform) {
  return std::find(std::begin(k_platforms), std::end(k_platforms), platform.str()) !=
         std::end(k_platforms);
}

oci::Error unknown_platform(const oci::Platform& platform) {
  const std::string name = platform.str();
  oci::Error error(oci::Errc::bad_input,
                   fmt::format("images cannot be built for `{}`", name));
  error.number(code::k_platform);
  if (platform.os != "linux") {
    return error.add_note("lithify builds for linux alone")
        .add_hint("write `linux/amd64` or `linux/arm64`");
  }
  const std::string meant =
      did_you_mean(name, {std::begin(k_platforms), std::end(k_platforms)});
  return error.add_hint(
      meant.empty() ? fmt::format("the platforms are {}", fmt::join(k_platforms, ", "))
                    : meant);
}

}  // namespace lithify
