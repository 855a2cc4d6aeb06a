// provenance: what is accepted can be written, and reads the same then.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "oci/base/error.h"

#include "builder/attest/provenance.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto read = lithify::Provenance::parse(text, "provenance");
    const std::string written = read.str();  // throws where the lock is none
    lithify::Provenance again = lithify::Provenance::parse(written, "provenance");
    if (again.str() != written) std::abort();
  } catch (const oci::Error&) {
  }
  return 0;
}
