#include "builder/attest/reproduced.h"

#include <nlohmann/json.hpp>

#include "oci/base/json.h"

namespace lithify {

std::string Reproduced::str() const {
  return oci::canonical_json(
      {{"provenance",
        {{"digest", {{"sha256", provenance.hex()}}}, {"builder", {{"id", original_id}}}}},
       {"rebuilder", {{"version", {{"lithify", version}}}}},
       {"sources", private_sources ? "given" : "recorded"},
       {"compared", {"index", "manifests", "configurations", "layers"}},
       {"result", "equal"}});
}

}  // namespace lithify
