// referrers: what points at an image in a registry, by its API or by the fallback tag
// (distribution-spec, "Listing Referrers", "Referrers Tag Schema").
#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"
#include "oci/registry/document.h"
#include "oci/registry/registry_client.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

constexpr std::size_t k_max_pages = 1000;
constexpr int k_max_races = 3;

std::string fallback_tag(const Digest& subject) {
  return "sha256-" + subject.hex();
}

void keep_type(std::vector<Descriptor>& list, std::string_view artifact_type) {
  if (artifact_type.empty()) return;
  list.erase(std::remove_if(list.begin(), list.end(),
                            [&](const Descriptor& one) {
                              return one.artifact_type != artifact_type;
                            }),
             list.end());
}

bool names(const Index& index, const Digest& digest) {
  return std::any_of(index.manifests.begin(), index.manifests.end(),
                     [&](const Descriptor& one) { return one.digest == digest; });
}

}  // namespace

// nullopt: this registry has no such API.
std::optional<std::vector<Descriptor>> RegistryClient::listed_referrers(
    const Digest& subject, std::string_view artifact_type) const {
  const std::string doing = "listing what refers to " + subject.brief() + " in " + name_;
  std::string url = primary() + "/referrers/" + subject.str();
  if (!artifact_type.empty()) {
    url += "?artifactType=" + url_encode(artifact_type);
  }
  std::vector<Descriptor> all;
  for (std::size_t page = 0; page < k_max_pages; ++page) {
    HttpRequest request = request_for("GET", url);
    request.headers = {{"Accept", std::string(media_type::k_index)}};
    const auto [answer, text] = ask(request, doing);
    const int status = answer.status;
    if (page == 0 && (status == 404 || status == 400 || status == 405 || status == 406)) {
      return std::nullopt;
    }
    if (status != 200) throw refusal(answer, url, doing);
    const Index index = Index::parse(text, "the list of referrers");
    all.insert(all.end(), index.manifests.begin(), index.manifests.end());
    const auto next = next_page(answer, url);
    if (!next || index.manifests.empty()) break;
    url = *next;
  }
  keep_type(all, artifact_type);
  return all;
}

std::vector<Descriptor> RegistryClient::referrers(const Digest& subject,
                                                  std::string_view artifact_type) const {
  if (auto listed = listed_referrers(subject, artifact_type)) return std::move(*listed);
  const auto fallback = get_document(fallback_tag(subject));
  if (!fallback) return {};
  Index index = Index::parse(fallback->content, "the tag " + fallback_tag(subject));
  keep_type(index.manifests, artifact_type);
  return std::move(index.manifests);
}

void RegistryClient::put_referrer(const Descriptor& which, Bytes content,
                                  const Descriptor& subject) {
  check_manifest(which, content);
  const std::string text(reinterpret_cast<const char*>(content.data()), content.size());
  const HttpResponse answer = put_document(which.digest.str(), which, text, {});
  if (answer.status < 200 || answer.status > 204) {
    throw refusal(answer, primary(),
                  fmt::format("pushing {} to {}", which.digest.brief(), name_));
  }
  // A registry that keeps the list itself says so.
  if (answer.header("oci-subject") != nullptr) return;
  add_to_fallback(which, subject);
}

// Two who add at once may each lose the other's entry; so what stands there is read back.
void RegistryClient::add_to_fallback(const Descriptor& which, const Descriptor& subject) {
  const std::string tag = fallback_tag(subject.digest);
  for (int round = 0; round < k_max_races; ++round) {
    const auto old = get_document_at(http_->count() - 1, tag);
    Index index;
    if (old) index = Index::parse(old->content, "the tag " + tag);
    if (names(index, which.digest)) return;
    index.media_type = media_type::k_index;
    index.manifests.push_back(which);
    const std::string text = index.str();
    HttpHeaders headers;
    if (old) headers.emplace_back("If-Match", '"' + old->which.digest.str() + '"');
    const Descriptor list = describe(text, media_type::k_index);
    const HttpResponse answer = put_document(tag, list, text, headers);
    if (answer.status == 412) continue;  // somebody was faster
    if (answer.status < 200 || answer.status > 204) {
      throw refusal(answer, primary(), fmt::format("writing the tag {}:{}", name_, tag));
    }
    const auto now = get_document_at(http_->count() - 1, tag);
    if (now && names(Index::parse(now->content, "the tag " + tag), which.digest)) return;
  }
  throw Error(Errc::unavailable,
              fmt::format("others change the tag {} of {} all the time", tag, name_))
      .add_hint("try again when nobody else signs this image");
}

}  // namespace oci
