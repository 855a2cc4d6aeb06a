// Reference: host/path:tag@digest, the name by which people ask for an image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oci/base/digest.h"

namespace oci {

// A fully resolved name. Made by parse(); normalised as docker does: "debian" is
// docker.io/library/debian:latest. With tag and digest both, the digest selects.
struct Reference {
  std::string domain;  // "docker.io", "localhost:5000", "[::1]:5000"
  std::string path;    // "library/debian"
  std::string tag;     // empty only if a digest is given
  std::optional<Digest> digest;

  // Throws Errc::bad_input with one text per class of mistake: empty name, upper case,
  // too long, bad character, bad digest (distribution/reference's grammar).
  static Reference parse(std::string_view text);
  static bool is_tag(std::string_view text);
  // domain/path, without tag and digest.
  std::string name() const { return domain + "/" + path; }
  std::string str() const;

  bool operator==(const Reference&) const = default;
};

}  // namespace oci
