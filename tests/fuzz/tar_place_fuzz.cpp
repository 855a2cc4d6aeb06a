// tar_place: any byte of anything has a name, and finding it ends.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "oci/image/tar_place.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint64_t offset = data[0] | std::uint64_t{data[1]} << 8;
  oci::StringSource tar(std::string(reinterpret_cast<const char*>(data) + 2, size - 2));
  if (oci::tar_place(tar, offset).field.empty()) std::abort();
  return 0;
}
