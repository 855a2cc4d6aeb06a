// predicate_names: one table.
#include "oci/sign/predicate_names.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/server_error.h"
#include "oci/sign/statement.h"

namespace oci {

namespace {

struct NamedType {
  std::string_view name;
  std::string_view type;
};
constexpr NamedType k_types[] = {{"signature", predicate::k_image_signature},
                                 {"spdx", predicate::k_spdx},
                                 {"cyclonedx", predicate::k_cyclonedx},
                                 {"openvex", predicate::k_openvex},
                                 {"provenance", predicate::k_provenance},
                                 {"test-result", predicate::k_test_result}};

}  // namespace

std::string predicate_type_named(std::string_view name) {
  for (const NamedType& known : k_types) {
    if (known.name == name) return std::string(known.type);
  }
  if (name.find(':') != std::string_view::npos) return std::string(name);
  throw Error(Errc::bad_input,
              fmt::format("`{}` is no predicate type", harmless(name, 100)))
      .add_hint(
          "it is a URI, or one of spdx, cyclonedx, openvex, provenance and test-result");
}

std::string_view predicate_name(std::string_view type) {
  for (const NamedType& known : k_types) {
    if (known.type == type) return known.name;
  }
  return type;
}

}  // namespace oci
