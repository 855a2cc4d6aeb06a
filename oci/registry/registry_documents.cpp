// registry_documents: manifests, indexes and tags out of a repository and into it.
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
constexpr int k_missing_blob = 2;  // times that a manifest is sent again for its blobs

bool is_success(int status) {
  return status >= 200 && status <= 204;
}
bool is_absent(int status) {
  return status == 404 || status == 410;
}

// What makes the next server of a list worth asking.
bool is_passed_over(Errc code) {
  return code == Errc::denied || code == Errc::not_found || code == Errc::unavailable ||
         code == Errc::mismatch || code == Errc::bad_input;
}

}  // namespace

std::optional<RegistryClient::Document> RegistryClient::get_document_at(
    std::size_t server, std::string_view reference) const {
  const HttpRequest request = document_request(
      "GET", http_->base(server) + "/manifests/" + std::string(reference));
  const std::string doing = fmt::format("reading {}{}{}", name_,
                                        Digest::parse(reference) ? "@" : ":", reference);
  Answer answer = ask(request, doing, server + 1 == http_->count());
  if (is_absent(answer.http.status)) return std::nullopt;
  if (answer.http.status != 200) throw refusal(answer.http, request.url, doing);
  return during([&] { return doing; },
                [&] {
                  Descriptor which =
                      described(answer.http, answer.text, reference, request.url);
                  return Document{std::move(which), std::move(answer.text)};
                });
}

// What a digest names is asked for once.
std::optional<RegistryClient::Document> RegistryClient::get_document(
    std::string_view reference) const {
  if (const auto digest = Digest::parse(reference)) {
    if (auto known = shared_.remembered(name_, *digest)) {
      return Document{std::move(known->first), std::move(known->second)};
    }
  }
  auto found = find_document(reference);
  if (found) shared_.remember(name_, found->which, found->content);
  return found;
}

// Asks the mirrors, then the registry; only the registry's failure is told.
std::optional<RegistryClient::Document> RegistryClient::find_document(
    std::string_view reference) const {
  const bool by_digest = Digest::parse(reference).has_value();
  for (std::size_t i = 0; i + 1 < http_->count(); ++i) {
    const Endpoint& mirror = http_->endpoint(i);
    if (by_digest ? !mirror.digests : !mirror.tags) continue;
    try {
      if (auto found = get_document_at(i, reference)) return found;
    } catch (const Error& e) {
      if (!is_passed_over(e.code())) throw;
      if (e.code() == Errc::mismatch) {
        shared_.tell(
            fmt::format("the mirror {} lies: {}", mirror.origin.str(), e.what()));
      }
    }
  }
  return get_document_at(http_->count() - 1, reference);
}

std::string RegistryClient::manifest(const Descriptor& which) const {
  check_manifest_size(which);
  auto found = get_document(which.digest.str());
  if (!found) {
    throw Error(Errc::not_found,
                fmt::format("{} has no manifest {}", name_, which.digest.str()));
  }
  if (found->content.size() != which.size) {
    throw Error(
        Errc::mismatch,
        fmt::format("manifest {} of {} has {} bytes, its descriptor says {}",
                    which.digest.brief(), name_, found->content.size(), which.size));
  }
  return std::move(found->content);
}

bool RegistryClient::has_manifest(const Digest& digest) const {
  {
    const std::lock_guard lock(mutex_);
    if (documents_.count(digest) > 0) return true;
  }
  const HttpRequest request =
      document_request("HEAD", primary() + "/manifests/" + digest.str());
  const std::string doing =
      fmt::format("looking for manifest {} in {}", digest.brief(), name_);
  const HttpResponse answer = head(request, doing);
  if (is_absent(answer.status)) return false;
  // Artifactory says 403 of what is not there yet.
  if (answer.status == 403) return false;
  if (answer.status != 200) throw refusal(answer, request.url, doing);
  return true;
}

HttpResponse RegistryClient::put_document(std::string_view reference,
                                          const Descriptor& which,
                                          std::string_view content, HttpHeaders headers) {
  HttpRequest request =
      request_for("PUT", primary() + "/manifests/" + std::string(reference));
  request.headers = std::move(headers);
  request.headers.emplace_back("Content-Type", which.media_type);
  request.body = body_of(std::string(content));
  const std::string doing = fmt::format("writing {} to {}", reference, name_);
  HttpResponse answer = ask(request, doing).http;
  // A blob that somebody else is sending is told of a moment before it is there.
  Patience patience = shared_.patience();
  for (int i = 0; i < k_missing_blob && has_code(answer, "MANIFEST_BLOB_UNKNOWN"); ++i) {
    patience.lose(refusal(answer, request.url, doing), {}, shared_.settings().stop);
    answer = ask(request, doing).http;
  }
  const std::string* named = answer.header("docker-content-digest");
  if (is_success(answer.status) && named != nullptr && named->rfind("sha256:", 0) == 0 &&
      *named != which.digest.str()) {
    throw Error(Errc::mismatch, fmt::format("{} stored manifest {} as {}", domain(),
                                            which.digest.str(), harmless(*named, 80)));
  }
  return answer;
}

void RegistryClient::put_manifest(const Descriptor& which, Bytes content) {
  check_manifest(which, content);
  const std::string text(reinterpret_cast<const char*>(content.data()), content.size());
  const HttpResponse answer = put_document(which.digest.str(), which, text, {});
  if (!is_success(answer.status)) {
    throw refusal(answer, primary(),
                  fmt::format("pushing manifest {} to {}", which.digest.brief(), name_));
  }
  const std::lock_guard lock(mutex_);
  documents_.emplace(which.digest, text);
}

std::optional<Descriptor> RegistryClient::resolve(std::string_view tag) const {
  auto found = get_document(tag);
  if (!found) return std::nullopt;
  return std::move(found->which);
}

std::optional<std::string> RegistryClient::manifest_of(std::string_view tag) const {
  auto found = get_document(tag);
  if (!found) return std::nullopt;
  return std::move(found->content);
}

std::optional<Digest> RegistryClient::digest_of(std::string_view tag) const {
  const HttpRequest request =
      document_request("HEAD", primary() + "/manifests/" + std::string(tag));
  const std::string doing = fmt::format("asking for {}:{}", name_, tag);
  const HttpResponse answer = head(request, doing);
  if (is_absent(answer.status) || answer.status == 403) return std::nullopt;
  if (answer.status != 200) throw refusal(answer, request.url, doing);
  if (const std::string* named = answer.header("docker-content-digest")) {
    if (const auto digest = Digest::parse(*named)) return digest;
  }
  const auto found = get_document_at(http_->count() - 1, tag);
  return found ? std::optional(found->which.digest) : std::nullopt;
}

std::string RegistryClient::document_of(const Descriptor& which) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = documents_.find(which.digest);
    if (found != documents_.end()) return found->second;
  }
  return manifest(which);
}

void RegistryClient::set_tag(std::string_view tag, const Descriptor& manifest) {
  const HttpResponse answer = put_document(tag, manifest, document_of(manifest), {});
  if (is_success(answer.status)) return;
  throw refusal(answer, primary(), fmt::format("writing the tag {}:{}", name_, tag));
}

// There is no conditional PUT in the specification. Servers that know HTTP's own take it;
// those that keep tags say no in their own words; for the others, what stands there
// afterwards tells whether somebody else was there at the same time.
void RegistryClient::set_tag_if(std::string_view tag, const Descriptor& manifest,
                                const TagCondition& condition) {
  HttpHeaders headers;
  if (condition.absent) headers.emplace_back("If-None-Match", "*");
  if (condition.expected) {
    headers.emplace_back("If-Match", '"' + condition.expected->str() + '"');
  }
  const HttpResponse answer = put_document(tag, manifest, document_of(manifest), headers);
  const std::string doing = fmt::format("writing the tag {}:{}", name_, tag);
  if (!is_success(answer.status)) {
    if (!is_kept_tag(answer)) throw refusal(answer, primary(), doing);
    if (digest_of(tag) == manifest.digest) return;
    throw Error(Errc::refused, fmt::format("{} keeps the tag `{}` as it is", name_, tag))
        .add_note(refusal(answer, primary(), doing).what());
  }
  const auto now = digest_of(tag);
  if (now == manifest.digest) return;
  throw Error(
      Errc::refused,
      fmt::format("the tag `{}` of {} was written by somebody else at the same time", tag,
                  name_))
      .add_note(now ? "it points to " + now->str() : "it is gone");
}

void RegistryClient::delete_tag(std::string_view tag) {
  const HttpRequest request =
      request_for("DELETE", primary() + "/manifests/" + std::string(tag));
  const std::string doing = fmt::format("deleting the tag {}:{}", name_, tag);
  const HttpResponse answer = ask(request, doing).http;
  if (!is_success(answer.status)) throw refusal(answer, request.url, doing);
}

std::vector<std::string> RegistryClient::tags() const {
  const std::string doing = "listing the tags of " + name_;
  std::vector<std::string> all;
  std::string url = primary() + "/tags/list?n=1000";
  for (std::size_t page = 0; page < k_max_pages; ++page) {
    const Answer answer = ask(request_for("GET", url), doing);
    if (is_absent(answer.http.status)) return all;
    if (!is_success(answer.http.status)) throw refusal(answer.http, url, doing);
    const auto names = tags_of(answer.text, name_);
    all.insert(all.end(), names.begin(), names.end());
    const auto next = next_page(answer.http, url);
    if (!next || names.empty()) break;
    url = *next;
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

}  // namespace oci
