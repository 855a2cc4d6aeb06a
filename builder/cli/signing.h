// signing: the signatures and attestations of a push.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oci/sign/signer.h"

#include "builder/cli/attesting.h"
#include "builder/deliver/push.h"

namespace lithify {

// What an image is signed with: `sign` of the build file, whose keys --key replaces, or
// --key alone. nullopt if nobody says so, and with --no-sign. Files are absolute paths.
// Errc::bad_input for claims that this version cannot make.
std::optional<SignRule> sign_rule(const ImagePlan& image, const Options& options,
                                  const std::string& directory);

// The keys as they may be shown, without PINs.
std::vector<std::string> shown_keys(const SignRule& rule);

// One image in one repository, which has its content already.
struct SentImage {
  const ImagePlan& plan;
  const PackedImage& image;
  const Push& push;
};

// What was written there.
struct SignedPush {
  std::vector<std::string> keys;    // shown_keys()
  std::vector<std::string> claims;  // "sbom-spdx"
  std::size_t documents = 0;        // manifests, and the index
  std::size_t added = 0;            // signatures and attestations that were not there
};

// Signs the images of one push. Each key is opened once.
class PushSigning {
 public:
  explicit PushSigning(const BuildFacts& facts) : facts_(facts) {}

  // The image as it is pushed: with `index_att` of the rule an index that has what is
  // said about each platform, which is put into the session's store; else the image as it
  // is. Needs no key.
  PackedImage attested(const SignRule& rule, const ImagePlan& plan,
                       const PackedImage& image) const;
  // Before anything is sent, since a passphrase may be wrong. Throws what open_signer()
  // throws, with the place of the rule.
  void open(const SignRule& rule);
  // Attestations, then signatures, of the index and of each platform, by each key of the
  // rule, which is open. What a key has said already is not said again.
  SignedPush sign(const SignRule& rule, const SentImage& sent);

 private:
  std::size_t attest(const SignRule& rule, const SentImage& sent);

  const BuildFacts& facts_;
  std::map<std::string, std::unique_ptr<oci::Signer>> signers_;
};

}  // namespace lithify
