// pkcs11_uri_fuzz: references to tokens of any form. What is accepted prints to what
// reads back as the same key, and nothing that is printed is a line of a configuration.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "oci/base/error.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/pkcs11_uri.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  oci::key_name(text);
  try {
    const oci::Pkcs11Uri uri = oci::Pkcs11Uri::parse(text);
    if (oci::Pkcs11Uri::parse(uri.str()).str() != uri.str()) std::abort();
    if (uri.of_type("private").find('?') < uri.str().size()) std::abort();
    if (uri.module_path().find_first_of("\n$#\\\"' ") != std::string::npos) std::abort();
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input) std::abort();
  }
  return 0;
}
