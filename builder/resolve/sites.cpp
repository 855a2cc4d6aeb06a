#include "builder/resolve/sites.h"

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

namespace {

Site site_of(const StageRecipe& stage, const StageVariant& variant) {
  return {stage.name,      variant.lock_name, variant.platform,
          variant.runs_on, variant.from,      variant.steps,
          nullptr,         nullptr,           &stage};
}

const StageVariant* find_variant(const StageRecipe& stage,
                                 const oci::Platform& platform) {
  for (const StageVariant& variant : stage.variants) {
    if (variant.platform == platform) return &variant;
  }
  return nullptr;
}

const StageRecipe& find_stage(const Recipe& recipe, const std::string& name) {
  for (const StageRecipe& stage : recipe.stages) {
    if (stage.name == name) return stage;
  }
  throw oci::Error(oci::Errc::internal, fmt::format("no stage `{}`", name));
}

Site image_site(const Recipe& recipe, const From& from, const oci::Platform& platform) {
  for (const ImageRecipe& image : recipe.images) {
    if (image.name != from.name) continue;
    for (const ImageVariant& variant : image.variants) {
      if (variant.platform == platform) return site_of(image, variant);
    }
    throw oci::Error(oci::Errc::bad_input, fmt::format("image `{}` is not built for {}",
                                                       from.name, platform.str()))
        .at(from.place, "needed here")
        .add_hint(
            fmt::format("add {} to the platforms of `{}`", platform.str(), from.name));
  }
  throw oci::Error(oci::Errc::internal, fmt::format("no image `{}`", from.name));
}

}  // namespace

Site site_of(const ImageRecipe& image, const ImageVariant& variant) {
  return {image.name,       image.lock_name, variant.platform,
          variant.platform, variant.from,    variant.steps,
          &image,           &variant,        nullptr};
}

Site stage_site(const Recipe& recipe, const std::string& name,
                const oci::Platform& platform) {
  const StageRecipe& stage = find_stage(recipe, name);
  if (const StageVariant* variant = find_variant(stage, platform))
    return site_of(stage, *variant);
  throw oci::Error(oci::Errc::internal,
                   fmt::format("no stage `{}` for {}", name, platform.str()));
}

std::optional<Site> site_below(const Recipe& recipe, const Site& site) {
  if (site.from.kind == From::Kind::image)
    return image_site(recipe, site.from, site.runs_on);
  if (site.from.kind != From::Kind::stage) return std::nullopt;
  const Site same = stage_site(recipe, site.from.name, site.platform);
  // A stage on the builder's platform stands on what runs there too.
  if (same.runs_on == site.runs_on) return same;
  return stage_site(recipe, site.from.name, site.runs_on);
}

SetKey lock_key(const Site& site, std::size_t number) {
  return {site.lock_name, number, site.runs_on};
}

}  // namespace lithify
