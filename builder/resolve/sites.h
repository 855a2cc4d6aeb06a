// Site: an image or a stage for one platform, as everything after the frontend sees it.
// Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"

namespace lithify {

// References lead into the recipe and live as long as it does.
struct Site {
  const std::string& name;        // for people, and in `lock --update`
  const std::string& lock_name;   // in SetKey
  const oci::Platform& platform;  // of the images: what sources and stages are taken for
  const oci::Platform& runs_on;   // what it stands on, its packages and its commands
  const From& from;
  const std::vector<RecipeStep>& steps;
  const ImageRecipe* image = nullptr;     // one of the two
  const ImageVariant* variant = nullptr;  // of the image
  const StageRecipe* stage = nullptr;
};

Site site_of(const ImageRecipe& image, const ImageVariant& variant);

// The stage that a copy or a mount names, for the images of a platform. Errc::internal if
// the recipe does not have it: frontends refuse unknown stages and circles.
Site stage_site(const Recipe& recipe, const std::string& name,
                const oci::Platform& platform);

// The image or stage that `site` is built upon; nullopt: it stands on a source or on
// nothing. A platform that the other image lacks is Errc::bad_input at the place of
// `from`.
std::optional<Site> site_below(const Recipe& recipe, const Site& site);

// What the lock calls the n-th packages step, or the n-th run step, of a site.
SetKey lock_key(const Site& site, std::size_t number);

}  // namespace lithify
