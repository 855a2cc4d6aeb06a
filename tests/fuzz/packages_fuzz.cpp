// packages: stanzas, relations and versions, as an index brings them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "oci/base/error.h"

#include "builder/resolve/deb822.h"
#include "builder/resolve/debian_relation.h"
#include "builder/resolve/debian_version.h"

namespace {

// What was read and written down again reads as the same.
void check_relations(std::string_view text) {
  for (const lithify::Alternatives& group :
       lithify::parse_relations(text, "amd64", "field")) {
    const std::string written = to_string(group);
    const auto again = lithify::parse_relations(written, "amd64", "field");
    if (again.size() != 1 || to_string(again[0]) != written) std::abort();
  }
}

void check_order(std::string_view a, std::string_view b) {
  if (lithify::compare_versions(a, a) != 0) std::abort();
  const auto there = lithify::compare_versions(a, b);
  const auto back = lithify::compare_versions(b, a);
  if ((there < 0) != (back > 0) || (there == 0) != (back == 0)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    lithify::Deb822Reader reader(text, "Packages");
    lithify::Stanza stanza;
    std::string_view previous;
    while (reader.next(stanza)) {
      for (const lithify::Field& field : stanza.fields()) {
        check_order(previous, field.value);
        previous = field.value;
        try {
          check_relations(field.value);
        } catch (const oci::Error&) {
        }
      }
    }
  } catch (const oci::Error&) {
  }
  return 0;
}
