#include "builder/cli/public_keys.h"

#include "oci/sign/key_reference.h"

namespace lithify {

std::vector<oci::NamedKey> public_keys(const Session& session,
                                       const std::vector<std::string>& references) {
  std::vector<oci::NamedKey> keys;
  for (const std::string& reference : references) {
    keys.push_back({reference, oci::read_public_key(reference, session.environment(),
                                                    session.stop())});
  }
  return keys;
}

}  // namespace lithify
