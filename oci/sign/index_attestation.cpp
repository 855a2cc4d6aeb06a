#include "oci/sign/index_attestation.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"
#include "oci/store/blob_store.h"

namespace oci {

namespace {

constexpr const char* k_kind = "vnd.docker.reference.type";
constexpr const char* k_attestation = "attestation-manifest";
constexpr const char* k_about = "vnd.docker.reference.digest";
constexpr const char* k_predicate_type = "in-toto.io/predicate-type";
constexpr std::string_view k_statement_type = "application/vnd.in-toto+json";

// With an image's configuration: the form that names no subject, so that registries which
// list referrers do not list it, and those which do not need no tag for it.
Descriptor put_attestation(Repository& to, const IndexAttestation& attestation) {
  ImageConfig config;
  config.platform = {"unknown", "unknown", ""};
  std::vector<Descriptor> layers;
  for (const Statement& statement : attestation.statements) {
    const std::string text = statement.str();
    put(to, text);
    Descriptor layer = describe(text, k_statement_type);
    layer.annotations = {{k_predicate_type, statement.predicate_type}};
    config.diff_ids.push_back(layer.digest);
    layers.push_back(std::move(layer));
  }
  const std::string config_text = config.str();
  put(to, config_text);
  const Manifest manifest{std::string(media_type::k_manifest), "",
                          describe(config_text, media_type::k_config), std::move(layers)};
  Descriptor entry = put_document(to, manifest.str(), media_type::k_manifest);
  entry.platform = config.platform;
  entry.annotations = {{k_kind, k_attestation},
                       {k_about, attestation.manifest.digest.str()}};
  return entry;
}

Index index_of(const Repository& images, const Descriptor& root,
               std::span<const IndexAttestation> attestations) {
  const std::string text = images.manifest(root);
  if (is_index(root.media_type)) return Index::parse(text, "index");
  Index index{std::string(media_type::k_index), {}};
  index.annotations = Manifest::parse(text, "manifest").annotations;
  Descriptor only = root;
  for (const IndexAttestation& attestation : attestations) {
    if (attestation.manifest.digest == root.digest)
      only.platform = attestation.manifest.platform;
  }
  index.manifests.push_back(std::move(only));
  return index;
}

}  // namespace

Descriptor put_attested_index(Repository& to, const Descriptor& root,
                              std::span<const IndexAttestation> attestations) {
  Index index = index_of(to, root, attestations);
  if (std::any_of(index.manifests.begin(), index.manifests.end(), is_about_another)) {
    throw Error(Errc::bad_input, fmt::format("the index {} has attestations already",
                                             root.digest.brief()));
  }
  for (const IndexAttestation& attestation : attestations) {
    if (!attestation.statements.empty())
      index.manifests.push_back(put_attestation(to, attestation));
  }
  return put_document(to, index.str(), media_type::k_index);
}

std::optional<Descriptor> without_attestations(const Repository& from,
                                               const Descriptor& root) {
  if (!is_index(root.media_type)) return std::nullopt;
  Index index = Index::parse(from.manifest(root), "index");
  const std::size_t before = index.manifests.size();
  std::erase_if(index.manifests, is_about_another);
  if (index.manifests.size() == before) return std::nullopt;
  if (index.manifests.size() == 1) {
    Descriptor only = index.manifests.front();
    only.platform.reset();
    return only;
  }
  return describe(index.str(), media_type::k_index);
}

}  // namespace oci
