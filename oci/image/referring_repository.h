// ReferringRepository: a repository that knows what refers to what: registry and layout.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/image/repository.h"

namespace oci {

// Signatures, SBOMs and provenance are manifests with a subject (image-spec, manifest.md,
// "subject"); the older ones are found by a tag that is made of the subject's digest.
class ReferringRepository : public Repository {
 public:
  // The manifest or index that a tag names, checked against its digest. nullopt if there
  // is none.
  virtual std::optional<std::string> manifest_of(std::string_view tag) const = 0;

  // What points at `subject`. Empty type: all.
  virtual std::vector<Descriptor> referrers(const Digest& subject,
                                            std::string_view artifact_type) const = 0;
  // Puts a manifest with a subject, and sees to it that it is found. `which` has the
  // annotations and the artifact type that a list of referrers shows.
  virtual void put_referrer(const Descriptor& which, Bytes content,
                            const Descriptor& subject) = 0;

  // Changes the document that a tag names, until the change stands: others may change it
  // at the same time. `change` is given what is there, nullopt for nothing, and gives
  // what shall be there; nullopt: it is as it should be. It may put blobs. Called again
  // after each race. Errc::unavailable if that does not end.
  using TagChanger = std::function<std::optional<std::string>(
      const std::optional<std::string>& document)>;
  virtual void change_tag(std::string_view tag, std::string_view media_type,
                          const TagChanger& change) = 0;
};

// "sha256-<hex>.sig" and its like: where cosign's SIGNATURE_SPEC.md keeps what belongs to
// an image. `suffix` is "sig" or "att".
std::string attachment_tag(const Digest& subject, std::string_view suffix);
// True for every such tag, and for the fallback tag of referrers (distribution-spec,
// "Referrers Tag Schema"): none of them is the name of an image.
bool is_attachment_tag(std::string_view tag);

}  // namespace oci
