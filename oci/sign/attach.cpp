// attach: cosign's SIGNATURE_SPEC.md and BUNDLE_SPEC.md say where things stand.
#include "oci/sign/attach.h"

#include <algorithm>
#include <functional>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"
#include "oci/sign/attached_tag.h"
#include "oci/sign/bundle.h"
#include "oci/sign/simple_signing.h"

namespace oci {

namespace {

constexpr const char* k_signature = "dev.cosignproject.cosign/signature";
constexpr const char* k_content = "dev.sigstore.bundle.content";
constexpr const char* k_predicate_type = "dev.sigstore.bundle.predicateType";
constexpr const char* k_classic_predicate_type = "predicateType";
constexpr std::string_view k_envelope_type = "application/vnd.dsse.envelope.v1+json";
constexpr std::string_view k_empty_type = "application/vnd.oci.empty.v1+json";
constexpr std::string_view k_empty = "{}";

// As opposed to an answer that is nonsense.
bool is_no_answer(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::denied ||
         error.code() == Errc::machine;
}

std::string text_of(const BlobStore& from, const Descriptor& blob, std::size_t limit) {
  if (blob.size > limit) {
    throw Error(Errc::bad_input, fmt::format("blob {} has {} bytes, more than the {} "
                                             "allowed here",
                                             blob.digest.brief(), blob.size, limit));
  }
  return read_all(*from.open({blob.digest, blob.size}), limit, "a signature");
}

bool is_signed_by(const Descriptor& layer, const std::string& payload,
                  const PublicKey& key) {
  if (layer.digest != Digest::of(payload)) return false;
  const auto annotation = layer.annotations.find(k_signature);
  if (annotation == layer.annotations.end()) return false;
  const auto bytes = base64_decode(annotation->second);
  return bytes && key.verifies(as_bytes(payload), as_bytes(*bytes));
}

// containers/image refuses a name with neither tag nor digest, even where the image is
// pulled by digest.
std::string bound_name(const ImageSignature& wanted) {
  const std::string& name = wanted.reference;
  const std::size_t last = name.rfind('/');
  const std::size_t path = last == std::string::npos ? 0 : last;
  if (name.find_first_of(":@", path) != std::string::npos) return name;
  return name + "@" + wanted.manifest.digest.str();
}

// Adds a layer to a `.sig` or `.att` manifest unless `is_there` knows one of those in it.
// `make` puts the layer's blob, once.
bool add_classic_layer(ReferringRepository& to, const std::string& tag,
                       const std::function<bool(const Descriptor&)>& is_there,
                       const std::function<Descriptor()>& make) {
  std::optional<Descriptor> layer;
  bool added = false;
  to.change_tag(tag, media_type::k_manifest, [&](const std::optional<std::string>& old) {
    std::vector<Descriptor> layers;
    if (old) layers = Manifest::parse(*old, "the tag " + tag).layers;
    if (std::any_of(layers.begin(), layers.end(), is_there))
      return std::optional<std::string>();
    if (!layer) layer = make();
    added = true;
    layers.push_back(*layer);
    return std::optional(attached_manifest(to, std::move(layers)));
  });
  return added;
}

bool attach_classic(ReferringRepository& to, Signer& signer,
                    const ImageSignature& wanted) {
  const std::string payload =
      SimpleSigning{bound_name(wanted), wanted.manifest.digest, wanted.annotations}.str();
  const PublicKey key = signer.public_key();
  return add_classic_layer(
      to, attachment_tag(wanted.manifest.digest, "sig"),
      [&](const Descriptor& one) { return is_signed_by(one, payload, key); },
      [&] {
        const Signature signature = signer.sign(as_bytes(payload));
        Descriptor layer = describe(payload, SimpleSigning::k_media_type);
        layer.annotations[k_signature] = base64_encode(
            std::string_view(reinterpret_cast<const char*>(signature.bytes.data()),
                             signature.bytes.size()));
        put(to, payload);
        return layer;
      });
}

// Whether this key has said this very statement in the envelope.
bool says(const Envelope& envelope, const PublicKey& key, const std::string& statement) {
  if (envelope.payload != statement) return false;
  const std::string signed_bytes = envelope.signed_bytes();
  return std::any_of(envelope.signatures.begin(), envelope.signatures.end(),
                     [&](const EnvelopeSignature& one) {
                       return key.verifies(as_bytes(signed_bytes), as_bytes(one.bytes));
                     });
}

// What others attached may be anything.
bool is_classic_statement(const ReferringRepository& from, const Descriptor& layer,
                          const PublicKey& key, const std::string& statement) {
  if (layer.media_type != k_envelope_type) return false;
  try {
    const std::string text = text_of(from, layer, k_max_envelope);
    return says(Envelope::parse(text, layer.digest.brief()), key, statement);
  } catch (const Error& e) {
    if (is_no_answer(e)) throw;
    return false;
  }
}

// The bundle of a referrer; nullopt if the referrer is something else.
std::optional<std::string> bundle_of(const ReferringRepository& from,
                                     const Descriptor& which) {
  const auto manifest =
      Manifest::parse(from.manifest(which), "referrer " + which.digest.brief());
  if (manifest.layers.size() != 1) return std::nullopt;
  const Descriptor& layer = manifest.layers.front();
  if (!bundle_version(layer.media_type)) return std::nullopt;
  return text_of(from, layer, Bundle::k_max_size);
}

// Whether this key has attached this very statement.
bool is_attached(const ReferringRepository& from, const PublicKey& key,
                 const Digest& manifest, const Statement& said,
                 const std::string& statement) {
  for (const Descriptor& which : from.referrers(manifest, "")) {
    // An SBOM may be large, and is no other claim.
    const auto type = which.annotations.find(k_predicate_type);
    if (type != which.annotations.end() && type->second != said.predicate_type) continue;
    try {
      const auto text = bundle_of(from, which);
      if (!text) continue;
      const Bundle bundle = Bundle::parse(*text, which.digest.brief());
      const Envelope* envelope = bundle.envelope();
      if (envelope != nullptr && says(*envelope, key, statement)) return true;
    } catch (const Error& e) {
      // What others attached may be anything.
      if (is_no_answer(e)) throw;
    }
  }
  return false;
}

// A statement that is looked for.
struct Wanted {
  const Digest& manifest;
  std::string_view predicate_type;

  std::optional<Statement> in(const Envelope& envelope) const {
    if (envelope.payload_type != k_in_toto_type) return std::nullopt;
    Statement statement = Statement::parse(envelope.payload, "the statement");
    const bool fits = statement.predicate_type == predicate_type &&
                      statement.find_subject(manifest) != nullptr;
    return fits ? std::optional(std::move(statement)) : std::nullopt;
  }
};

// What others attached may be anything; that nobody answers is an Error all the same.
template <class Read>
std::optional<Statement> passing_over(Read read) {
  try {
    return read();
  } catch (const Error& e) {
    if (e.code() == Errc::unavailable || e.code() == Errc::denied) throw;
    return std::nullopt;
  }
}

std::optional<Statement> statement_of_bundle(const ReferringRepository& from,
                                             const Descriptor& which,
                                             const Wanted& wanted) {
  const auto text = bundle_of(from, which);
  if (!text) return std::nullopt;
  const Bundle bundle = Bundle::parse(*text, which.digest.brief());
  return bundle.envelope() == nullptr ? std::nullopt : wanted.in(*bundle.envelope());
}

}  // namespace

std::vector<Descriptor> signed_documents(const Repository& of, const Descriptor& root) {
  std::vector<Descriptor> all = {root};
  if (!is_index(root.media_type)) return all;
  for (const Descriptor& child : children(root, of.manifest(root))) {
    if (is_document(child.media_type)) all.push_back(child);
  }
  return all;
}

bool attach_statement(ReferringRepository& to, Signer& signer, const Descriptor& manifest,
                      const Statement& statement) {
  const std::string text = statement.str();
  if (is_attached(to, signer.public_key(), manifest.digest, statement, text))
    return false;
  const std::string bundle = Bundle::sign_envelope(k_in_toto_type, text, signer).str();
  put(to, k_empty);
  put(to, bundle);
  Manifest artifact{std::string(media_type::k_manifest),
                    std::string(Bundle::k_media_type), describe(k_empty, k_empty_type)};
  artifact.layers = {describe(bundle, Bundle::k_media_type)};
  artifact.subject = Descriptor{manifest.media_type, manifest.digest, manifest.size};
  artifact.annotations = {{k_content, "dsse-envelope"},
                          {k_predicate_type, statement.predicate_type}};
  const std::string document = artifact.str();
  Descriptor which = describe(document, media_type::k_manifest);
  which.annotations = artifact.annotations;
  which.artifact_type = artifact.artifact_type;
  to.put_referrer(which, as_bytes(document), *artifact.subject);
  return true;
}

bool attach_classic_statement(ReferringRepository& to, Signer& signer,
                              const Descriptor& manifest, const Statement& statement) {
  const std::string text = statement.str();
  const PublicKey key = signer.public_key();
  return add_classic_layer(
      to, attachment_tag(manifest.digest, "att"),
      [&](const Descriptor& one) { return is_classic_statement(to, one, key, text); },
      [&] {
        const std::string envelope = Envelope::sign(k_in_toto_type, text, signer).str();
        put(to, envelope);
        Descriptor layer = describe(envelope, k_envelope_type);
        layer.annotations = {{k_signature, ""},
                             {k_classic_predicate_type, statement.predicate_type}};
        return layer;
      });
}

Attached attach_signature(ReferringRepository& to, Signer& signer,
                          const ImageSignature& signature, AttachedForm form) {
  Statement statement;
  statement.subjects = {Subject::of(signature.manifest.digest)};
  statement.subjects.front().annotations = signature.annotations;
  statement.predicate_type = predicate::k_image_signature;
  Attached attached;
  if (form != AttachedForm::bundle && !signature.reference.empty())
    attached.classic = attach_classic(to, signer, signature);
  if (form != AttachedForm::classic)
    attached.bundle = attach_statement(to, signer, signature.manifest, statement);
  return attached;
}

std::optional<Statement> find_statement(const ReferringRepository& from,
                                        const Digest& manifest,
                                        std::string_view predicate_type) {
  const Wanted wanted{manifest, predicate_type};
  std::size_t count = 0;
  for (const Descriptor& which : from.referrers(manifest, "")) {
    if (++count > k_max_attached) break;
    const auto type = which.annotations.find(k_predicate_type);
    if (type != which.annotations.end() && type->second != predicate_type) continue;
    auto found = passing_over([&] { return statement_of_bundle(from, which, wanted); });
    if (found) return found;
  }
  const std::string tag = attachment_tag(manifest, "att");
  return passing_over([&]() -> std::optional<Statement> {
    count = 0;
    for (const Descriptor& layer : attached_layers(from, tag)) {
      if (++count > k_max_attached) break;
      if (layer.media_type != k_envelope_type) continue;
      auto found = passing_over([&] {
        const std::string text = text_of(from, layer, k_max_envelope);
        return wanted.in(Envelope::parse(text, layer.digest.brief()));
      });
      if (found) return found;
    }
    return std::nullopt;
  });
}

void offer_attached(const ReferringRepository& from, const Digest& manifest,
                    Verifier& verifier, std::vector<std::string>& unread) {
  offer_attached(from, manifest, std::span(&verifier, 1), unread);
}

void offer_attached(const ReferringRepository& from, const Digest& manifest,
                    std::span<Verifier> verifiers, std::vector<std::string>& unread) {
  // What strangers attached must not keep us from what counts.
  const auto guarded = [&](const std::string& name, auto offer) {
    try {
      offer();
    } catch (const Error& e) {
      if (is_no_answer(e)) throw;
      unread.push_back(name + ": " + e.what());
    }
  };
  for (const char* suffix : {"sig", "att"}) {
    const std::string tag = attachment_tag(manifest, suffix);
    std::vector<Descriptor> layers;
    guarded(tag, [&] { layers = attached_layers(from, tag); });
    if (layers.size() > k_max_attached) {
      unread.push_back(fmt::format("{} has {} layers, the first {} were read", tag,
                                   layers.size(), k_max_attached));
      layers.erase(layers.begin() + k_max_attached, layers.end());
    }
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string name = fmt::format("{}, layer {}", tag, i);
      guarded(name, [&] {
        const Descriptor& layer = layers[i];
        if (layer.media_type == SimpleSigning::k_media_type) {
          const auto found = layer.annotations.find(k_signature);
          const std::string payload = text_of(from, layer, SimpleSigning::k_max_size);
          for (Verifier& verifier : verifiers) {
            verifier.offer_classic(name, payload,
                                   found == layer.annotations.end() ? "" : found->second);
          }
        } else if (layer.media_type == k_envelope_type) {
          const std::string envelope = text_of(from, layer, k_max_envelope);
          for (Verifier& verifier : verifiers)
            verifier.offer_envelope(name, envelope);
        }
      });
    }
  }
  std::size_t count = 0;
  for (const Descriptor& which : from.referrers(manifest, "")) {
    if (++count > k_max_attached) {
      unread.push_back(fmt::format("more than {} referrers", k_max_attached));
      break;
    }
    guarded(which.digest.str(), [&] {
      if (const auto text = bundle_of(from, which)) {
        for (Verifier& verifier : verifiers)
          verifier.offer_bundle(which.digest.str(), *text);
      }
    });
  }
}

}  // namespace oci
