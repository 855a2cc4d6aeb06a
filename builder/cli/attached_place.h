// attached_place: an image whose signatures are written or read: in a registry or layout.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "oci/base/reference.h"
#include "oci/image/referring_repository.h"
#include "oci/registry/registries.h"

#include "builder/cli/image_place.h"

namespace lithify {

struct AttachedPlace {
  std::unique_ptr<oci::ReferringRepository> images;
  oci::Descriptor root;
  bool is_layout = false;
  std::string image;  // "host/path@sha256:…" or "DIR:NAME sha256:…", for stdout
  // The name that signatures bind: --as; else where it is in a registry, or what the
  // layout calls it, if that is the whole name of a place in a registry.
  std::optional<oci::Reference> reference = {};
};

// The image of the command's only operand, for reading or, with Access::push, for putting
// something beside it. Errc::bad_input with a hint for archives, the store and no
// operand.
AttachedPlace open_attached(Session& session, oci::Access access);

// The same for an image whose place is known, for reading.
AttachedPlace open_attached(Session& session, const ImagePlace& place,
                            oci::Access access);

// Whether what refers to an image can be kept there.
bool keeps_referrers(const ImagePlace& place);

}  // namespace lithify
