#include "builder/cli/attached_provenance.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/json.h"
#include "oci/image/manifest.h"
#include "oci/sign/bundle.h"

#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr std::size_t k_most_referrers = 1000;
constexpr std::size_t k_most_notes = 10;

// The text of a bundle that refers to something; nullopt: it is another artifact.
std::optional<std::string> bundle_text(const oci::ReferringRepository& from,
                                       const oci::Descriptor& which) {
  const auto manifest =
      oci::Manifest::parse(from.manifest(which), "referrer " + which.digest.brief());
  if (manifest.layers.size() != 1) return std::nullopt;
  const oci::Descriptor& layer = manifest.layers.front();
  if (!oci::bundle_version(layer.media_type)) return std::nullopt;
  return oci::read_all(*from.open({layer.digest, layer.size}), oci::Bundle::k_max_size,
                       "a sigstore bundle");
}

oci::Error not_vouched(const std::string& what) {
  return oci::Error(oci::Errc::untrusted, what)
      .add_hint("leave `--key` out to go on without knowing who said it");
}

FoundProvenance accepted(const std::string& predicate, const std::string& name,
                         std::vector<std::string> keys) {
  Provenance provenance = Provenance::parse(predicate, name);
  const std::string canonical =
      oci::canonical_json(oci::parse_json(predicate, name, Provenance::k_max_size));
  return {std::move(provenance), oci::Digest::of(canonical), std::move(keys)};
}

// Nullopt if the bundle is about something else, or of another kind.
std::optional<FoundProvenance> from_bundle(const std::string& name,
                                           const std::string& text,
                                           const oci::Digest& manifest,
                                           const TrustedKeys& keys) {
  const oci::Bundle bundle = oci::Bundle::parse(text, name);
  if (bundle.envelope() == nullptr) return std::nullopt;
  const auto statement = oci::Statement::parse(bundle.envelope()->payload, name);
  if (statement.predicate_type != oci::predicate::k_provenance) return std::nullopt;
  if (statement.find_subject(manifest) == nullptr) return std::nullopt;
  if (keys.empty()) return accepted(statement.predicate, name, {});
  oci::Verifier verifier(oci::KeyRule::any_of(keys),
                         {manifest, std::string(oci::predicate::k_provenance)});
  verifier.offer_bundle(name, text);
  const oci::VerifyReport report = std::move(verifier).finish();
  if (!report.accepted) throw report.rejection();
  return accepted(statement.predicate, name, report.objects.front().keys);
}

bool is_fatal(const oci::Error& error) {
  return error.code() == oci::Errc::unavailable || error.code() == oci::Errc::denied;
}

}  // namespace

FoundProvenance find_provenance(const oci::ReferringRepository& from,
                                const oci::Digest& manifest, const TrustedKeys& keys) {
  std::vector<std::string> passed_over;
  std::size_t count = 0;
  for (const oci::Descriptor& which : from.referrers(manifest, "")) {
    if (++count > k_most_referrers) break;
    try {
      const auto text = bundle_text(from, which);
      if (!text) continue;
      if (auto found = from_bundle(which.digest.str(), *text, manifest, keys))
        return std::move(*found);
    } catch (const oci::Error& error) {
      // What strangers attached must not keep us from what counts.
      if (is_fatal(error)) throw;
      passed_over.push_back(which.digest.brief() + ": " + visible(error.what()));
    }
  }
  oci::Error error =
      passed_over.empty()
          ? oci::Error(oci::Errc::not_found,
                       "the image has no provenance that lithify made")
                .add_hint(
                    "write `sign: {attest: [provenance]}` into the build file before "
                    "pushing, or give it with `--provenance FILE`")
          : not_vouched("there is no provenance that can be believed");
  for (std::size_t i = 0; i < passed_over.size() && i < k_most_notes; ++i)
    error.add_note(passed_over[i]);
  throw error;
}

FoundProvenance read_provenance(const std::string& file, const oci::Digest& manifest,
                                const TrustedKeys& keys) {
  const std::string text = oci::read_file(file, oci::Bundle::k_max_size);
  const nlohmann::json document = oci::parse_json(text, file, oci::Bundle::k_max_size);
  if (document.is_object() && document.contains("dsseEnvelope")) {
    if (auto found = from_bundle(file, text, manifest, keys)) return std::move(*found);
    throw oci::Error(oci::Errc::mismatch,
                     fmt::format("{} is not the provenance of {}", file, manifest.str()));
  }
  if (!keys.empty()) {
    throw not_vouched(file + " is a predicate alone, which nobody signed")
        .add_note("a sigstore bundle can be verified");
  }
  return accepted(text, file, {});
}

}  // namespace lithify
