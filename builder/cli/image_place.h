// image_place: where an image is or shall be: "oci:DIR:NAME", a file, a name in the
// store, a registry's reference.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "oci/base/reference.h"
#include "oci/image/repository.h"

#include "builder/cli/wiring.h"

namespace lithify {

struct ImagePlace {
  enum class Kind { layout, oci_archive, docker_archive, store, registry };
  Kind kind = Kind::registry;
  std::filesystem::path path;               // of layouts and archives
  std::string name;                         // of the image in there, or in the store
  std::optional<oci::Reference> reference;  // of registries

  std::string str() const;  // as the user may write it
};

// Prefixes say what is meant: "oci:", "oci-archive:", "docker-archive:", "store:",
// "docker://". Without one: what begins with "/", "./" or "../" or is there as a file is
// that; then a name in the store; then a reference. Errc::bad_input for nonsense.
ImagePlace parse_place(Session& session, const std::string& text);
// The same for where something is written: nothing need be there, and the store is meant
// only by its prefix. A path that ends in ".tar" is an OCI archive.
ImagePlace parse_destination(const std::string& text);

// A reference, with "docker://" before it or not.
oci::Reference parse_reference(std::string text);

// What a reference names. Errc::not_found with a hint.
oci::Descriptor root_at(const oci::RegistryClient& client,
                        const oci::Reference& reference);

// The image that `place` names in an open layout or archive; what it is called there
// becomes the place's name. Errc::not_found, with what there is instead.
oci::Descriptor find_in_layout(ImagePlace& place, const oci::Repository& images);

struct FoundImage {
  std::unique_ptr<oci::Repository> owned;  // null: the session's
  oci::Repository* images = nullptr;
  oci::Descriptor root;
  const oci::RegistryClient* registry = nullptr;  // if that is where it is
  // If it is in a registry or a layout.
  const oci::ReferringRepository* referring = nullptr;
};

// Errc::not_found, with what there is instead. A registry with --offline is
// Errc::unavailable.
FoundImage find_image(Session& session, const ImagePlace& place);

}  // namespace lithify
