// manifest_fuzz: what is accepted as a document prints to one that reads back the same.
#include <cstdint>
#include <cstdlib>

#include "oci/base/error.h"
#include "oci/image/layout_index.h"
#include "oci/image/manifest.h"

namespace {

template <class Document>
void parse(std::string_view text) {
  try {
    const Document document = Document::parse(text, "fuzzed document");
    if (!(Document::parse(document.str(), "printed document") == document)) std::abort();
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  parse<oci::Manifest>(text);
  parse<oci::Index>(text);
  parse<oci::ImageConfig>(text);
  try {
    const oci::LayoutIndex index = oci::LayoutIndex::parse(text, "fuzzed index");
    const std::string printed = index.str();
    if (oci::LayoutIndex::parse(printed, "printed index").str() != printed) std::abort();
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input) std::abort();
  }
  return 0;
}
