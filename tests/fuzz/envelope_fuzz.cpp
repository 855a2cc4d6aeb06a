// envelope_fuzz: envelopes, statements and classic payloads that are accepted print to
// ones that read back the same.
#include <cstdint>
#include <cstdlib>

#include "oci/base/error.h"
#include "oci/sign/envelope.h"
#include "oci/sign/simple_signing.h"
#include "oci/sign/statement.h"

namespace {

template <class Document>
void parse(std::string_view text) {
  try {
    const Document document = Document::parse(text, "fuzzed");
    const Document again = Document::parse(document.str(), "printed");
    if (!(again == document)) std::abort();
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  parse<oci::Envelope>(text);
  parse<oci::Statement>(text);
  parse<oci::SimpleSigning>(text);
  return 0;
}
