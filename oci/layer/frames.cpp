#include "oci/layer/frames.h"

#include <libdeflate.h>

namespace oci {

bool cut_before(std::size_t open, std::string_view path, std::uint64_t member) {
  if (open < k_min_frame) return false;
  if (member > k_max_frame || open + member > k_max_frame) return true;
  // One path in 64 ends a frame wherever it stands: after an insertion the cuts fall back
  // into step there.
  return libdeflate_crc32(0, path.data(), path.size()) % 64 == 0;
}

}  // namespace oci
