// Bundle: a signature with all that a verifier needs beside a key it trusts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "oci/sign/envelope.h"
#include "oci/sign/signer.h"

namespace oci {

// Sigstore's protobufs as JSON (protobuf-specs, sigstore_bundle.proto and its imports).
// Bytes are kept decoded. Nothing here is verified by reading it.

// Says which key, not that it is trusted.
struct KeyHint {
  std::string hint;
  bool operator==(const KeyHint&) const = default;
};
// DER of an X.509 certificate that holds the key of this signature.
struct LeafCertificate {
  std::string der;
  bool operator==(const LeafCertificate&) const = default;
};
// Leaf first. Only before v0.3, whose verifiers refuse it.
struct CertificateChain {
  std::vector<std::string> ders;
  bool operator==(const CertificateChain&) const = default;
};
using KeyMaterial = std::variant<KeyHint, LeafCertificate, CertificateChain>;

// sigstore_rekor.proto
struct InclusionProof {
  std::int64_t log_index = 0;  // within the shard, unlike the entry's
  std::string root_hash;
  std::int64_t tree_size = 0;
  std::vector<std::string> hashes;
  std::string checkpoint;  // a signed note, empty if there is none
  bool operator==(const InclusionProof&) const = default;
};
struct LogEntry {
  std::int64_t log_index = 0;  // of the whole log
  std::string log_id;
  std::string kind, version;         // "dsse", "0.0.1"
  std::int64_t integrated_time = 0;  // seconds since 1970; 0: none
  std::string signed_timestamp;      // the log's promise; empty if there is none
  std::optional<InclusionProof> proof = {};
  std::string body;  // the canonical entry
  bool operator==(const LogEntry&) const = default;
};

// A signature over the bytes of a file. Never one of an image.
struct MessageSignature {
  std::string algorithm;  // "SHA2_256"; empty without a digest
  std::string digest;     // of the file: says which, proves nothing
  std::string signature;
  bool operator==(const MessageSignature&) const = default;
};

enum class BundleVersion { v0_1, v0_2, v0_3 };

struct Bundle {
  static constexpr std::string_view k_media_type =
      "application/vnd.dev.sigstore.bundle.v0.3+json";
  static constexpr std::size_t k_max_size = k_max_envelope;

  BundleVersion version = BundleVersion::v0_3;
  KeyMaterial key;
  std::vector<LogEntry> log_entries = {};
  std::vector<std::string> timestamps = {};  // RFC 3161, whole answers in DER
  std::variant<MessageSignature, Envelope> content;

  // Signs and wraps: v0.3 with the hint of a plain key. The signer must have no
  // certificate (Errc::internal): such bundles want a log or a timestamp, too.
  static Bundle sign_envelope(std::string_view payload_type, std::string payload,
                              Signer& signer);
  static Bundle sign_message(Bytes message, Signer& signer);

  // Errc::bad_input for what sigstore's verifiers refuse, and what two readers could
  // understand in two ways: other media types; members that are unknown, or of both
  // kinds of content or material; base64 other than standard (but for the envelope's); a
  // certificate chain in v0.3; entries of a log without what their version demands, or
  // the same one twice; other than one signature in an envelope; more than 32 entries or
  // timestamps.
  static Bundle parse(std::string_view text, std::string_view what);

  // Compact; 64-bit numbers as text, base64 in the standard alphabet with padding.
  std::string str() const;

  const Envelope* envelope() const { return std::get_if<Envelope>(&content); }

  bool operator==(const Bundle&) const = default;
};

// The media type of a bundle in either of its spellings, also of a layer; nullopt for
// what is none.
std::optional<BundleVersion> bundle_version(std::string_view media_type);

}  // namespace oci
