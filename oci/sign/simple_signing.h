// SimpleSigning: the text that cosign's classic signature signs, about one manifest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "oci/base/digest.h"
#include "oci/base/reference.h"

namespace oci {

// cosign, specs/SIGNATURE_SPEC.md. The signature is over the bytes of the text as they
// are stored, so what came from elsewhere is verified as it came and never written anew.
struct SimpleSigning {
  // "registry.example/app:1.0". cosign writes no tag and does not look; containers/image
  // does, and refuses to pull a tag whose signature names none.
  std::string reference;
  Digest manifest;  // of a manifest or an index
  std::map<std::string, std::string> annotations = {};

  static constexpr std::string_view k_type = "cosign container image signature";
  static constexpr std::string_view k_media_type =
      "application/vnd.dev.cosign.simplesigning.v1+json";
  static constexpr std::size_t k_max_size = 1024 * 1024;

  // Errc::bad_input for what cosign or containers/image refuse: members that they do not
  // know, no `optional`, another type, a `timestamp` that is no whole number, a `creator`
  // that is no text, a digest that is not sha256. Members of `optional` that are not text
  // are no annotations: nobody can ask for them.
  static SimpleSigning parse(std::string_view text, std::string_view what);
  // The bytes that cosign writes for the same content: no white space, and < > & and the
  // two line separators of Unicode escaped, as Go does it.
  std::string str() const;

  // Whether the signature is about this name: the same repository, and the same tag if
  // both have one. docker.io and index.docker.io are one.
  bool is_about(const Reference& wanted) const;

  bool operator==(const SimpleSigning&) const = default;
};

}  // namespace oci
