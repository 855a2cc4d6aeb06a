// SourceTrees: the steps whose trees are what sources hold, and the images that steps are
// built upon. Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "builder/plan/build_plan.h"
#include "builder/plan/lock.h"
#include "builder/resolve/lower.h"

namespace lithify {

// The name of the one file that a fetched location gives.
std::string file_name_of(const std::string& location);

// References outlive it. What the lock does not answer is Errc::stale.
class SourceTrees {
 public:
  SourceTrees(const Recipe& recipe, const Lock& lock, const BaseManifests& bases,
              Graph& graph)
      : recipe_(recipe), lock_(lock), bases_(bases), graph_(graph) {}

  // The image of a layout or image source, as locked for an image for `platform`.
  BaseImage locked_image(const Source& source, const oci::Platform& platform,
                         const Place& place) const;
  // One step that unpacks every layer of a base, for steps that look below.
  StepIndex unpack_base(const BaseImage& base, const oci::Platform& platform);
  // The environment that a base's configuration gives.
  const std::map<std::string, std::string>& environment(const BaseImage& base) const;
  // The step whose tree is what a source holds.
  StepIndex source_tree(const std::string& key, const oci::Platform& platform,
                        const Place& place);
  // What "." of a source is: the one file of a url: source.
  std::string whole(const std::string& key) const;

 private:
  std::string location_of(const Source& source) const;
  const BaseLayers& layers(const BaseImage& base) const;
  Fetch fetch_url(const std::string& url, const Source& source) const;
  StepIndex unpacked(const ArchiveSource& archive, const Source& source);

  const Recipe& recipe_;
  const Lock& lock_;
  const BaseManifests& bases_;
  Graph& graph_;
};

}  // namespace lithify
