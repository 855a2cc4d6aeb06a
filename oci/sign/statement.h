// Statement: what is claimed, of which kind, about which things (in-toto, version 1).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/digest.h"

namespace oci {

// The kinds of claims that have a name here. Without versions where the verifiers' short
// names (`cosign --type spdxjson`) compare exactly.
namespace predicate {
inline constexpr std::string_view k_image_signature =
    "https://sigstore.dev/cosign/sign/v1";
inline constexpr std::string_view k_provenance = "https://slsa.dev/provenance/v1";
inline constexpr std::string_view k_spdx = "https://spdx.dev/Document";
inline constexpr std::string_view k_cyclonedx = "https://cyclonedx.org/bom";
inline constexpr std::string_view k_openvex = "https://openvex.dev/ns";
inline constexpr std::string_view k_test_result =
    "https://in-toto.io/attestation/test-result/v0.1";
inline constexpr std::string_view k_summary = "https://slsa.dev/verification_summary/v1";
}  // namespace predicate

// One thing that a statement is about: a ResourceDescriptor (resource_descriptor.md).
struct Subject {
  std::string name = {};
  std::string uri = {};
  // Algorithm to value, never empty; "sha256" is 64 lower-case hex digits.
  std::map<std::string, std::string> digests = {};
  std::string download_location = {};
  std::string media_type = {};
  std::map<std::string, std::string> annotations = {};

  static Subject of(const Digest& manifest) {
    return {.digests = {{"sha256", manifest.hex()}}};
  }
  bool operator==(const Subject&) const = default;
};

// statement.md
struct Statement {
  std::vector<Subject> subjects;
  std::string predicate_type;
  std::string predicate = "{}";  // the text of one JSON object

  static constexpr std::string_view k_type = "https://in-toto.io/Statement/v1";
  // In base64 it fits into the largest envelope.
  static constexpr std::size_t k_max_size = 23 * 1024 * 1024;
  static constexpr std::size_t k_max_subjects = 1024;

  // Errc::bad_input for what sigstore's verifiers refuse: members that they do not know
  // in the statement or a subject, a predicate that is no object, no subject or too many,
  // a subject without a digest; and for another `_type` than version 1 or 0.1, which
  // cosign writes into attestations.
  static Statement parse(std::string_view text, std::string_view what);

  // Sorted members, no white space, also in the predicate, whose numbers with a fraction
  // get the shortest digits that read back the same. Errc::bad_input if parse() would
  // refuse it, or a number is too large to be kept.
  std::string str() const;

  // nullptr if it is not about that manifest.
  const Subject* find_subject(const Digest& manifest) const;

  bool operator==(const Statement&) const = default;
};

}  // namespace oci
