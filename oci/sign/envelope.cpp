// envelope: PAE, and the JSON around it.
#include "oci/sign/envelope.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/document_node.h"
#include "oci/sign/members.h"
#include "oci/sign/strict_base64.h"

namespace oci {

namespace {

constexpr std::size_t k_max_signatures = 32;

std::string decode(const DocumentNode& node) {
  const auto* text = node.value().get_ptr<const std::string*>();
  if (text == nullptr) node.refuse("a string was expected");
  auto bytes = any_base64_decode(*text);
  if (!bytes) node.refuse("base64 was expected");
  return std::move(*bytes);
}

EnvelopeSignature read_signature(const DocumentNode& node) {
  require_only(node, {"sig", "keyid"});
  EnvelopeSignature signature{decode(node.require("sig")), node.text_or_empty("keyid")};
  if (signature.bytes.empty()) node.refuse("the signature is empty");
  return signature;
}

}  // namespace

std::string pre_authentication_encoding(std::string_view payload_type,
                                        std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type,
                     payload.size(), payload);
}

Envelope Envelope::sign(std::string_view payload_type, std::string payload,
                        Signer& signer) {
  Envelope envelope{std::string(payload_type), std::move(payload), {}};
  const Signature made = signer.sign(as_bytes(envelope.signed_bytes()));
  envelope.signatures.push_back(
      {{reinterpret_cast<const char*>(made.bytes.data()), made.bytes.size()}});
  return envelope;
}

Envelope Envelope::parse(std::string_view text, std::string_view what) {
  const nlohmann::json document = parse_json(text, what, k_max_envelope);
  return parse(DocumentNode(document, std::string(what)));
}

Envelope Envelope::parse(const DocumentNode& node) {
  require_only(node, {"payload", "payloadType", "signatures"});
  Envelope envelope{
      node.require("payloadType").text(), decode(node.require("payload")), {}};
  if (envelope.payload_type.empty()) node.refuse("`payloadType` is empty");
  const DocumentNode signatures = node.require("signatures");
  for (const DocumentNode& item : signatures.items()) {
    if (envelope.signatures.size() == k_max_signatures) {
      signatures.refuse(fmt::format("more than {} signatures", k_max_signatures));
    }
    envelope.signatures.push_back(read_signature(item));
  }
  if (envelope.signatures.empty()) signatures.refuse("no signature");
  return envelope;
}

nlohmann::json Envelope::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const EnvelopeSignature& signature : signatures) {
    nlohmann::json item = {{"sig", base64_encode(signature.bytes)}};
    if (!signature.key_id.empty()) item["keyid"] = signature.key_id;
    list.push_back(std::move(item));
  }
  return {{"payload", base64_encode(payload)},
          {"payloadType", payload_type},
          {"signatures", std::move(list)}};
}

std::string Envelope::str() const {
  return canonical_json(json());
}

}  // namespace oci
