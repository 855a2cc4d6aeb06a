// linkage: a file of an image that claims to be a program.
#include <cstdint>
#include <string>

#include "builder/test/linkage.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  oci::StringSource source(std::string(reinterpret_cast<const char*>(data), size));
  (void)lithify::linkage_of(source);
  return 0;
}
