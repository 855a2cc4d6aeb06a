// debian_architecture: a platform's architecture as Debian calls it.
#include "builder/resolve/package_source.h"

namespace lithify {

std::string debian_architecture(const oci::Platform& platform) {
  const std::string& name = platform.architecture;
  if (name == "arm") return platform.variant == "v7" ? "armhf" : "armel";
  if (name == "386") return "i386";
  if (name == "ppc64le") return "ppc64el";
  if (name == "mips64le") return "mips64el";
  return name;
}

}  // namespace lithify
