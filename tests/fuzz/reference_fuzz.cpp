// reference_fuzz: what is accepted as a reference prints to a text that means the same.
#include <cstdint>
#include <cstdlib>

#include "oci/base/error.h"
#include "oci/base/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const oci::Reference reference = oci::Reference::parse(text);
    if (oci::Reference::parse(reference.str()) != reference) std::abort();
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input) std::abort();
  }
  return 0;
}
