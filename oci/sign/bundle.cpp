// bundle: making and writing.
#include "oci/sign/bundle.h"

#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/json.h"

namespace oci {

namespace {

using nlohmann::json;

struct Spelling {
  std::string_view media_type;
  BundleVersion version;
};
// The first of each version is written.
constexpr Spelling k_spellings[] = {
    {"application/vnd.dev.sigstore.bundle+json;version=0.1", BundleVersion::v0_1},
    {"application/vnd.dev.sigstore.bundle+json;version=0.2", BundleVersion::v0_2},
    {Bundle::k_media_type, BundleVersion::v0_3},
    {"application/vnd.dev.sigstore.bundle+json;version=0.3", BundleVersion::v0_3},
};

std::string_view media_type_of(BundleVersion version) {
  for (const Spelling& spelling : k_spellings) {
    if (spelling.version == version) return spelling.media_type;
  }
  throw Error(Errc::internal, "a bundle of no version");
}

json write_key(const KeyHint& key) {
  return {{"publicKey", {{"hint", key.hint}}}};
}
json write_key(const LeafCertificate& key) {
  return {{"certificate", {{"rawBytes", base64_encode(key.der)}}}};
}
json write_key(const CertificateChain& key) {
  json list = json::array();
  for (const std::string& der : key.ders)
    list.push_back({{"rawBytes", base64_encode(der)}});
  return {{"x509CertificateChain", {{"certificates", std::move(list)}}}};
}

json write_proof(const InclusionProof& proof) {
  json hashes = json::array();
  for (const std::string& hash : proof.hashes)
    hashes.push_back(base64_encode(hash));
  json node = {{"logIndex", std::to_string(proof.log_index)},
               {"rootHash", base64_encode(proof.root_hash)},
               {"treeSize", std::to_string(proof.tree_size)},
               {"hashes", std::move(hashes)}};
  if (!proof.checkpoint.empty()) node["checkpoint"] = {{"envelope", proof.checkpoint}};
  return node;
}

json write_entry(const LogEntry& entry) {
  json node = {{"logIndex", std::to_string(entry.log_index)},
               {"logId", {{"keyId", base64_encode(entry.log_id)}}},
               {"kindVersion", {{"kind", entry.kind}, {"version", entry.version}}},
               {"canonicalizedBody", base64_encode(entry.body)}};
  if (entry.integrated_time != 0) {
    node["integratedTime"] = std::to_string(entry.integrated_time);
  }
  if (!entry.signed_timestamp.empty()) {
    node["inclusionPromise"] = {
        {"signedEntryTimestamp", base64_encode(entry.signed_timestamp)}};
  }
  if (entry.proof) node["inclusionProof"] = write_proof(*entry.proof);
  return node;
}

json write_message(const MessageSignature& message) {
  json node = {{"signature", base64_encode(message.signature)}};
  if (!message.algorithm.empty()) {
    node["messageDigest"] = {{"algorithm", message.algorithm},
                             {"digest", base64_encode(message.digest)}};
  }
  return node;
}

std::string text_of(const Signature& signature) {
  if (!signature.certificate_pem.empty()) {
    throw Error(Errc::internal, "a bundle with a certificate cannot be made here");
  }
  return {reinterpret_cast<const char*>(signature.bytes.data()), signature.bytes.size()};
}

}  // namespace

std::optional<BundleVersion> bundle_version(std::string_view media_type) {
  for (const Spelling& spelling : k_spellings) {
    if (spelling.media_type == media_type) return spelling.version;
  }
  return std::nullopt;
}

Bundle Bundle::sign_envelope(std::string_view payload_type, std::string payload,
                             Signer& signer) {
  Envelope envelope{std::string(payload_type), std::move(payload), {}};
  const Signature made = signer.sign(as_bytes(envelope.signed_bytes()));
  envelope.signatures.push_back({text_of(made)});
  return {.key = KeyHint{made.key_hint}, .content = std::move(envelope)};
}

Bundle Bundle::sign_message(Bytes message, Signer& signer) {
  const Signature made = signer.sign(message);
  const Digest digest = Digest::of(message);
  const auto& raw = digest.raw();
  return {
      .key = KeyHint{made.key_hint},
      .content = MessageSignature{"SHA2_256",
                                  {reinterpret_cast<const char*>(raw.data()), raw.size()},
                                  text_of(made)}};
}

std::string Bundle::str() const {
  json material = std::visit([](const auto& it) { return write_key(it); }, key);
  for (const LogEntry& entry : log_entries)
    material["tlogEntries"].push_back(write_entry(entry));
  for (const std::string& timestamp : timestamps) {
    material["timestampVerificationData"]["rfc3161Timestamps"].push_back(
        {{"signedTimestamp", base64_encode(timestamp)}});
  }
  json document = {{"mediaType", media_type_of(version)},
                   {"verificationMaterial", std::move(material)}};
  if (const Envelope* signed_payload = envelope()) {
    document["dsseEnvelope"] = signed_payload->json();
  } else {
    document["messageSignature"] = write_message(std::get<MessageSignature>(content));
  }
  return canonical_json(document);
}

}  // namespace oci
