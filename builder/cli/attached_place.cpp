#include "builder/cli/attached_place.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/layout.h"

#include "builder/tell/text.h"

namespace lithify {

namespace {

using Kind = ImagePlace::Kind;

// What a layout calls an image is a name in a registry only if it says which.
std::optional<oci::Reference> whole_name(const std::string& name) {
  if (name.find('/') == std::string::npos) return std::nullopt;
  try {
    return oci::Reference::parse(name);
  } catch (const oci::Error&) {
    return std::nullopt;
  }
}

AttachedPlace in_layout(ImagePlace place, oci::Access access) {
  // Found for reading first: nothing is made where no layout is.
  const oci::Descriptor root = find_in_layout(place, *oci::open_layout(place.path));
  auto images = access == oci::Access::push ? oci::create_layout(place.path)
                                            : oci::open_layout(place.path);
  return {std::move(images), root, true,
          fmt::format("{} {}", place.str(), root.digest.str()), whole_name(place.name)};
}

AttachedPlace in_registry(Session& session, const oci::Reference& reference,
                          oci::Access access) {
  auto client = session.registries().open(reference.name(), access);
  const oci::Descriptor root = root_at(*client, reference);
  return {std::move(client), root, false, reference.name() + "@" + root.digest.str(),
          reference};
}

}  // namespace

bool keeps_referrers(const ImagePlace& place) {
  return place.kind == Kind::registry || place.kind == Kind::layout;
}

AttachedPlace open_attached(Session& session, const ImagePlace& place,
                            oci::Access access) {
  if (!keeps_referrers(place)) {
    throw oci::Error(oci::Errc::bad_input,
                     place.str() + " has no room for what refers to an image")
        .add_note("signatures and attestations are kept in registries and layouts")
        .add_hint(fmt::format("`lithify copy {} oci:DIR` makes a layout of it",
                              visible(place.str())));
  }
  AttachedPlace found = place.kind == Kind::layout
                            ? in_layout(place, access)
                            : in_registry(session, *place.reference, access);
  const std::string& as = session.options().as;
  if (!as.empty()) found.reference = parse_reference(as);
  return found;
}

AttachedPlace open_attached(Session& session, oci::Access access) {
  const Options& options = session.options();
  if (options.operands.empty()) {
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("`{}` needs the reference of an image, or a layout", options.command))
        .add_hint(fmt::format("as `lithify {} --key … ghcr.io/acme/hello:1.4.2`",
                              options.command));
  }
  return open_attached(session, parse_place(session, options.operands.front()), access);
}

}  // namespace lithify
