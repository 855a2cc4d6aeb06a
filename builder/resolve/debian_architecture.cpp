// debian_architecture: a platform's architecture as Debian calls it.
#include "builder/resolve/package_source.h"

namespace lithify {

std::string debian_architecture(const oci::Platform& platform) {
  const std::string& name = platform.architecture;
  // Without a variant, arm means v7 to everybody.
  const bool old = platform.variant == "v5" || platform.variant == "v6";
  if (name == "arm") return old ? "armel" : "armhf";
  if (name == "386") return "i386";
  if (name == "ppc64le") return "ppc64el";
  if (name == "mipsle") return "mipsel";
  if (name == "mips64le") return "mips64el";
  return name;
}

}  // namespace lithify
