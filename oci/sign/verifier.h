// Verifier: whether the right keys signed the right thing about one manifest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/digest.h"
#include "oci/base/reference.h"
#include "oci/sign/bundle.h"
#include "oci/sign/public_key.h"
#include "oci/sign/statement.h"
#include "oci/sign/verify_report.h"

namespace oci {

struct NamedKey {
  std::string name;  // what the report calls it
  PublicKey key;
};

// So many of these keys must each have signed something that is accepted.
struct KeyRule {
  std::vector<NamedKey> keys;
  std::size_t needed = 1;

  static KeyRule any_of(std::vector<NamedKey> keys) { return {std::move(keys), 1}; }
  static KeyRule all_of(std::vector<NamedKey> keys) {
    const std::size_t count = keys.size();
    return {std::move(keys), count};
  }
};

struct Expectation {
  Digest manifest;
  // Compared exactly. An attestation is not a signature: what is not of this type does
  // not count, whoever signed it.
  std::string predicate_type = std::string(predicate::k_image_signature);
  // The name under which the manifest is asked for. Only classic signatures bind one.
  std::optional<Reference> reference = {};
  // Only what binds that name counts: a bundle does not.
  bool must_name = false;
  // Each must be there with this text; others may be there, too.
  std::map<std::string, std::string> annotations = {};
};

// Is offered everything that is attached to the manifest, in any order; what is broken or
// somebody else's is no error but a line in the report. Nothing is read from the network,
// no certificate, log or clock is consulted: signatures that rest on those are rejected.
// One thread.
class Verifier {
 public:
  // Errc::bad_input: a rule without keys, with one key twice, or that needs none or more
  // than it has.
  Verifier(KeyRule rule, Expectation expected);

  // A layer of a `.sig` manifest: the blob, and the annotation with the signature.
  void offer_classic(std::string name, std::string_view payload,
                     std::string_view signature);
  // A layer of an `.att` manifest.
  void offer_envelope(std::string name, std::string_view text);
  // The blob of a bundle referrer. Only v0.3, since no other verifier of images reads
  // another.
  void offer_bundle(std::string name, std::string_view text);

  // Accepted only if enough keys signed; that nothing was offered is a rejection.
  VerifyReport finish() &&;

 private:
  void check_classic(ObjectReport& report, std::string_view payload,
                     std::string_view signature) const;
  bool check_key_material(ObjectReport& report, const Bundle& bundle) const;
  void check_envelope(ObjectReport& report, const Envelope& envelope) const;
  void check_statement(ObjectReport& report, const Envelope& envelope) const;
  bool check_predicate(ObjectReport& report, std::string_view found) const;
  bool check_annotations(ObjectReport& report,
                         const std::map<std::string, std::string>& found) const;

  KeyRule rule_;
  Expectation expected_;
  std::vector<ObjectReport> objects_;
};

// A bundle about a file (`cosign sign-blob`), not an image: `text` is the bundle.
VerifyReport verify_message(const KeyRule& rule, Bytes message, std::string_view text);

}  // namespace oci
