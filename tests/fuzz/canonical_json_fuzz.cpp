// canonical_json_fuzz: a text is canonical exactly if writing what it says gives it back,
// and what is written says the same.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/sign/canonical_text.h"

namespace {

// nullopt for what is no document, and for numbers with fractions.
std::optional<std::string> canonical_form(std::string_view text) {
  try {
    const nlohmann::json value = oci::parse_json(text, "fuzzed");
    std::string written = oci::canonical_json(value);
    if (oci::parse_json(written, "written") != value) std::abort();
    if (oci::canonical_json(oci::parse_json(written, "written")) != written) std::abort();
    return written;
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input && e.code() != oci::Errc::internal) std::abort();
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto form = canonical_form(text);
  if (oci::is_canonical_json(text) != (form && *form == text)) std::abort();
  if (form && !oci::is_canonical_json(*form)) std::abort();
  return 0;
}
