// Envelope: a payload, its type, and signatures over both (DSSE).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "oci/sign/signer.h"

namespace oci {

class DocumentNode;

// What is signed in place of a payload, so that no payload can be taken for one of
// another type: "DSSEv1", then length and bytes of type and payload (protocol.md, "PAE").
std::string pre_authentication_encoding(std::string_view payload_type,
                                        std::string_view payload);

inline constexpr std::string_view k_in_toto_type = "application/vnd.in-toto+json";
// An SBOM that names every file of a large image, in base64.
inline constexpr std::size_t k_max_envelope = 32 * 1024 * 1024;

struct EnvelopeSignature {
  std::string bytes;
  // Anyone could have written it: never used to choose a key. Ours is empty, because
  // cosign 3 refuses a bundle with any text in it that it would not write itself.
  std::string key_id = {};
  bool operator==(const EnvelopeSignature&) const = default;
};

struct Envelope {
  std::string payload_type;
  std::string payload;
  std::vector<EnvelopeSignature> signatures;

  // Signs and wraps.
  static Envelope sign(std::string_view payload_type, std::string payload,
                       Signer& signer);

  // envelope.md; exactly `payload`, `payloadType` and `signatures` with `sig` and perhaps
  // `keyid`, base64 in either alphabet, 1 to 32 signatures, none of them empty. Errc::
  // bad_input otherwise.
  static Envelope parse(std::string_view text, std::string_view what);
  static Envelope parse(const DocumentNode& node);

  // Compact, standard base64 with padding, no empty `keyid`.
  std::string str() const;
  nlohmann::json json() const;

  // Over what the signatures are.
  std::string signed_bytes() const {
    return pre_authentication_encoding(payload_type, payload);
  }

  bool operator==(const Envelope&) const = default;
};

}  // namespace oci
