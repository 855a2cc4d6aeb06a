// blob_range: errors about blobs and their parts.
#include "oci/store/blob_range.h"

#include <fmt/format.h>

namespace oci {

Error no_such_blob(const Digest& digest, std::string_view where) {
  return Error(Errc::not_found, fmt::format("no blob {} in {}", digest.str(), where));
}

Error wrong_blob_size(const BlobRef& blob, std::uint64_t found) {
  return Error(Errc::mismatch, fmt::format("blob {} has {} bytes, expected {}",
                                           blob.digest.brief(), found, blob.size));
}

void check_range(const BlobRef& blob, std::uint64_t offset, std::uint64_t size) {
  if (offset > blob.size || size > blob.size - offset) {
    throw Error(Errc::bad_input,
                fmt::format("{} bytes at {} were asked of blob {}, which has {}", size,
                            offset, blob.digest.brief(), blob.size));
  }
}

}  // namespace oci
