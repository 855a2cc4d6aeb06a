// Requests: what a recipe asks of the world, and what of it a lock does not answer. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <variant>
#include <vector>

#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"

namespace lithify {

// One packages step of one image or stage on one platform.
struct PackageSetRequest {
  std::string key;                     // as LockedSet::key
  std::string request;                 // as LockedSet::request
  std::string image;                   // the image's or stage's name in the recipe
  const PackagesStep* step = nullptr;  // in the recipe
  oci::Platform platform;
  Place place;
  std::vector<std::string> below;  // keys of the sets this one stands on, lowest first
  // Scripts run where no base has what they use: essential packages come too.
  bool essential = false;
};

// What url: and remote archive: sources fetch from one address.
struct UrlRequest {
  std::string url;
  std::set<std::string> sources;        // their names
  std::optional<oci::Digest> declared;  // sha256: of the build file
  bool archive = false;                 // one of them unpacks it
  Place place;                          // of the first
};

// An image taken from layout: or image: sources, for one platform.
struct BaseRequest {
  std::string ref;                                               // as LockedImage::ref
  std::set<std::string> sources;                                 // their names
  std::variant<const LayoutSource*, const ImageSource*> source;  // in the recipe
  oci::Platform platform;  // of the image that is taken
  Place place;
  std::vector<const ImageVerification*> verify = {};  // in the recipe; all must hold
};

// What the sources demand of the image's signatures, for LockedImage::asked; nullopt if
// nothing.
std::optional<oci::Digest> asked_of(const BaseRequest& request);

// A run step with network: pinned.
struct OutputRequest {
  std::string key;   // as LockedOutput::key
  std::string name;  // of the image or stage
  oci::Digest asked;
  Place place;
};

// Pointers lead into the recipe and live as long as it does. Only what a step or a from:
// really uses is asked for; duplicates are left out. Sets come after those they stand on.
struct Requests {
  std::vector<PackageSetRequest> sets;
  std::vector<UrlRequest> urls;
  std::vector<BaseRequest> bases;
  std::vector<OutputRequest> outputs;  // what a build finds out, not resolve()
  std::vector<std::string> encoders;   // "zstd", "gzip": what the images' layers need
};

// Two sources that declare different sha256 for one url are Errc::bad_input.
Requests requests_of(const Recipe& recipe);

// What `lock` does not answer, each as an Error of kind stale with the place that asks
// (L0210). Empty: the lock is good for a build.
std::vector<oci::Error> unmet(const Recipe& recipe, const Lock& lock);

// What a command with network: pinned says: all that its result may depend on but the
// trees that it sees.
oci::Digest asked_of(const RunStep& run);
// That of the command whose outputs have this key; nullopt if the recipe has none.
std::optional<oci::Digest> asked_of(const Recipe& recipe, std::string_view key);

// What such a command made, if the lock knows it of this command; else nullptr.
const LockedOutput* find_output(const Lock& lock, std::string_view key,
                                const oci::Digest& asked);

// What the lock does not know of commands with network: pinned, as unmet(): a build runs
// them to find out, unless it may not write the lock.
std::vector<oci::Error> unpinned(const Recipe& recipe, const Lock& lock);

// What stands in the lock though the build file could not ask for it whatever the
// arguments and the platforms of this run are, in words for a warning.
std::vector<std::string> unused(const Recipe& recipe, const Lock& lock);

// As LockedImage::ref; nullopt if the source is no image.
std::optional<std::string> image_ref(const Source& source);
// For which platform an image source is taken when an image for `platform` uses it.
oci::Platform image_platform(const Source& source, const oci::Platform& platform);

}  // namespace lithify
