#include "builder/cli/one_platform.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"
#include "oci/image/platform_choice.h"

#include "builder/cli/workspace.h"
#include "builder/tell/text.h"

namespace lithify {

oci::Platform one_platform(const Session& session, std::string_view what) {
  const auto platforms = wanted_platforms(session.options());
  if (platforms.size() > 1) {
    throw oci::Error(oci::Errc::bad_input, fmt::format("{} is about one platform", what))
        .add_hint("give one `--platform`");
  }
  return platforms.empty() ? oci::Platform::host() : platforms.front();
}

oci::Error no_platform(const oci::Platform& wanted,
                       const std::vector<std::string>& offered) {
  return oci::Error(oci::Errc::not_found, "the image has nothing for " + wanted.str())
      .add_hint(fmt::format("choose one with `--platform`: {}",
                            visible(fmt::format("{}", fmt::join(offered, ", ")))));
}

oci::Descriptor manifest_for(const FoundImage& found, const oci::Platform& wanted) {
  if (!oci::is_index(found.root.media_type)) return found.root;
  const auto read = [&](const oci::Descriptor& which) {
    return found.images->manifest(which);
  };
  const auto index = oci::Index::parse(read(found.root), "the index of the image");
  const auto choice = oci::choose_platform(oci::images_of(index, wanted, read), wanted);
  if (!choice.manifest) throw no_platform(wanted, choice.offered);
  return *choice.manifest;
}

}  // namespace lithify
