// bundle_reader: what each version of a bundle may and must have.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/document_node.h"
#include "oci/sign/bundle.h"
#include "oci/sign/members.h"

namespace oci {

namespace {

constexpr std::size_t k_max_entries = 32;
constexpr std::size_t k_max_timestamps = 32;
constexpr std::size_t k_max_certificates = 10;
constexpr std::size_t k_max_hashes = 64;  // of a tree with 2^63 leaves

// An array of at most `most` items; none if it is not there.
std::vector<DocumentNode> items_or_none(const DocumentNode& object, const char* name,
                                        std::size_t most) {
  const auto list = object.find(name);
  if (!list) return {};
  std::vector<DocumentNode> items = list->items();
  if (items.size() > most) list->refuse(fmt::format("more than {} items", most));
  return items;
}

std::string certificate(const DocumentNode& node) {
  require_only(node, {"rawBytes"});
  std::string der = require_bytes(node, "rawBytes");
  if (der.empty()) node.refuse("the certificate is empty");
  return der;
}

CertificateChain chain(const DocumentNode& node) {
  require_only(node, {"certificates"});
  CertificateChain read;
  for (const DocumentNode& item : items_or_none(node, "certificates", k_max_certificates))
    read.ders.push_back(certificate(item));
  if (read.ders.empty()) node.refuse("no certificate");
  return read;
}

KeyMaterial key_material(const DocumentNode& material, BundleVersion version) {
  const auto hint = material.find("publicKey");
  const auto leaf = material.find("certificate");
  const auto certificates = material.find("x509CertificateChain");
  if (hint.has_value() + leaf.has_value() + certificates.has_value() != 1) {
    material.refuse(
        "exactly one of `publicKey`, `certificate` and "
        "`x509CertificateChain` was expected");
  }
  if (hint) {
    require_only(*hint, {"hint"});
    return KeyHint{hint->text_or_empty("hint")};
  }
  if (leaf) {
    if (version != BundleVersion::v0_3) leaf->refuse("only v0.3 has it");
    return LeafCertificate{certificate(*leaf)};
  }
  if (version == BundleVersion::v0_3) {
    certificates->refuse("v0.3 has the leaf certificate alone, as `certificate`");
  }
  return chain(*certificates);
}

InclusionProof inclusion_proof(const DocumentNode& node) {
  require_only(node, {"logIndex", "rootHash", "treeSize", "hashes", "checkpoint"});
  InclusionProof proof;
  proof.log_index = count_or_zero(node, "logIndex");
  proof.root_hash = require_bytes(node, "rootHash");
  proof.tree_size = count_or_zero(node, "treeSize");
  if (proof.log_index >= proof.tree_size) node.refuse("an index outside of the tree");
  if (const auto hashes = node.find("hashes")) {
    const nlohmann::json& list = hashes->value();
    if (!list.is_array() || list.size() > k_max_hashes) {
      hashes->refuse(
          fmt::format("a list of at most {} hashes was expected", k_max_hashes));
    }
    for (const DocumentNode& item : hashes->items())
      proof.hashes.push_back(as_strict_bytes(item));
  }
  if (const auto checkpoint = node.find("checkpoint")) {
    require_only(*checkpoint, {"envelope"});
    proof.checkpoint = checkpoint->text_or_empty("envelope");
  }
  return proof;
}

// sigstore-go: v0.1 may rest on the log's promise, later ones on a proof.
void require_evidence(const LogEntry& entry, const DocumentNode& node,
                      BundleVersion version) {
  if (version == BundleVersion::v0_1) {
    if (entry.signed_timestamp.empty()) node.refuse("`inclusionPromise` is missing");
  } else if (!entry.proof || entry.proof->checkpoint.empty()) {
    node.refuse("`inclusionProof` with a checkpoint is missing");
  }
}

LogEntry log_entry(const DocumentNode& node, BundleVersion version) {
  require_only(node, {"logIndex", "logId", "kindVersion", "integratedTime",
                      "inclusionPromise", "inclusionProof", "canonicalizedBody"});
  LogEntry entry;
  entry.log_index = count_or_zero(node, "logIndex");
  const DocumentNode id = node.require("logId");
  require_only(id, {"keyId"});
  entry.log_id = require_bytes(id, "keyId");
  const DocumentNode kind = node.require("kindVersion");
  require_only(kind, {"kind", "version"});
  entry.kind = kind.require("kind").text();
  entry.version = kind.require("version").text();
  entry.integrated_time = count_or_zero(node, "integratedTime");
  if (const auto promise = node.find("inclusionPromise")) {
    require_only(*promise, {"signedEntryTimestamp"});
    entry.signed_timestamp = require_bytes(*promise, "signedEntryTimestamp");
  }
  if (const auto proof = node.find("inclusionProof")) {
    entry.proof = inclusion_proof(*proof);
  }
  entry.body = require_bytes(node, "canonicalizedBody");
  require_evidence(entry, node, version);
  return entry;
}

std::vector<LogEntry> log_entries_of(const DocumentNode& material,
                                     BundleVersion version) {
  std::vector<LogEntry> entries;
  for (const DocumentNode& item : items_or_none(material, "tlogEntries", k_max_entries)) {
    LogEntry entry = log_entry(item, version);
    const bool twice =
        std::any_of(entries.begin(), entries.end(), [&](const LogEntry& other) {
          return other.log_id == entry.log_id && other.log_index == entry.log_index;
        });
    if (twice) item.refuse("the same entry of the log a second time");
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<std::string> timestamps_of(const DocumentNode& material) {
  std::vector<std::string> timestamps;
  const auto data = material.find("timestampVerificationData");
  if (!data) return timestamps;
  require_only(*data, {"rfc3161Timestamps"});
  for (const DocumentNode& item :
       items_or_none(*data, "rfc3161Timestamps", k_max_timestamps)) {
    require_only(item, {"signedTimestamp"});
    timestamps.push_back(require_bytes(item, "signedTimestamp"));
  }
  return timestamps;
}

MessageSignature message_signature(const DocumentNode& node) {
  require_only(node, {"messageDigest", "signature"});
  MessageSignature message;
  message.signature = require_bytes(node, "signature");
  if (message.signature.empty()) node.refuse("the signature is empty");
  const auto digest = node.find("messageDigest");
  if (!digest) return message;
  require_only(*digest, {"algorithm", "digest"});
  message.algorithm = digest->require("algorithm").text();
  message.digest = require_bytes(*digest, "digest");
  const std::size_t size = message.algorithm == "SHA2_256"   ? 32
                           : message.algorithm == "SHA2_384" ? 48
                           : message.algorithm == "SHA2_512" ? 64
                                                             : 0;
  if (size == 0 || message.digest.size() != size) {
    digest->refuse("a digest of SHA2_256, SHA2_384 or SHA2_512 was expected");
  }
  return message;
}

std::variant<MessageSignature, Envelope> content_of(const DocumentNode& top) {
  const auto message = top.find("messageSignature");
  const auto envelope = top.find("dsseEnvelope");
  if (message.has_value() == envelope.has_value()) {
    top.refuse("exactly one of `dsseEnvelope` and `messageSignature` was expected");
  }
  if (message) return message_signature(*message);
  Envelope read = Envelope::parse(*envelope);
  if (read.signatures.size() != 1) {
    envelope->refuse("exactly one signature was expected");
  }
  return read;
}

}  // namespace

Bundle Bundle::parse(std::string_view text, std::string_view what) {
  const nlohmann::json document = parse_json(text, what, k_max_size);
  const DocumentNode top(document, std::string(what));
  require_only(top,
               {"mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"});
  const DocumentNode media_type = top.require("mediaType");
  const auto version = bundle_version(media_type.text());
  if (!version) media_type.refuse("a bundle of v0.1, v0.2 or v0.3 was expected");
  const DocumentNode material = top.require("verificationMaterial");
  require_only(material, {"publicKey", "certificate", "x509CertificateChain",
                          "tlogEntries", "timestampVerificationData"});
  return {.version = *version,
          .key = key_material(material, *version),
          .log_entries = log_entries_of(material, *version),
          .timestamps = timestamps_of(material),
          .content = content_of(top)};
}

}  // namespace oci
