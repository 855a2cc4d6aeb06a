// attach: signatures and attestations beside an image in a registry or layout: put there,
// found.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/base/reference.h"
#include "oci/image/referring_repository.h"
#include "oci/sign/signer.h"
#include "oci/sign/verifier.h"

namespace oci {

struct ImageSignature {
  Descriptor manifest;  // or index, in the repository
  // The name that the classic form binds; one without tag is bound with the digest.
  // Empty: it has none yet, and only the bundle is made, which binds none.
  std::string reference;
  std::map<std::string, std::string> annotations = {};
};

// What was there already is not put there again: a valid signature of this key over the
// same content. So signing twice changes nothing.
struct Attached {
  bool classic = false;  // a layer was added to the tag sha256-<hex>.sig
  bool bundle = false;   // a referrer was added
};

// The classic form is for cosign 2, podman and what reads as they do, the bundle for
// cosign 3, which does not look at the first once there is any bundle.
enum class AttachedForm { both, classic, bundle };

// Safe against others who sign the same image at the same time.
Attached attach_signature(ReferringRepository& to, Signer& signer,
                          const ImageSignature& signature,
                          AttachedForm form = AttachedForm::both);

// What of an image is signed: the index and the image of each platform, or the one image.
std::vector<Descriptor> signed_documents(const Repository& of, const Descriptor& root);

// A statement about the manifest as a bundle: false if this key has said the same
// already. `predicate` is the text of a JSON object.
bool attach_statement(ReferringRepository& to, Signer& signer, const Descriptor& manifest,
                      const Statement& statement);

// The same in the classic form: a layer of the tag sha256-<hex>.att, where cosign 2
// looks.
bool attach_classic_statement(ReferringRepository& to, Signer& signer,
                              const Descriptor& manifest, const Statement& statement);

// What somebody, whoever it is, says about the manifest in a bundle or the classic form:
// for showing, not for believing. Of several the first. What cannot be read is passed
// over.
std::optional<Statement> find_statement(const ReferringRepository& from,
                                        const Digest& manifest,
                                        std::string_view predicate_type);

// Offers everything that is attached to the manifest in any form, at most 1,000 of each.
// What cannot be read is left out with a line in `unread`; a registry that does not
// answer is an Error.
void offer_attached(const ReferringRepository& from, const Digest& manifest,
                    Verifier& verifier, std::vector<std::string>& unread);
// The same to several, who are all shown the same.
void offer_attached(const ReferringRepository& from, const Digest& manifest,
                    std::span<Verifier> verifiers, std::vector<std::string>& unread);

}  // namespace oci
