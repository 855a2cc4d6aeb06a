// RegistryContent: distribution-spec, answered from memory.
#include "tests/support/registry_content.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/digest.h"
#include "oci/base/json.h"

using nlohmann::json;
using oci::Digest;

namespace {

const std::string k_octets = "application/octet-stream";
const std::string k_index = "application/vnd.oci.image.index.v1+json";
constexpr std::size_t k_max_manifest = 4 * 1024 * 1024;

WireResponse failure(int status, const std::string& code, const std::string& message) {
  const json body = {{"errors", {{{"code", code}, {"message", message}}}}};
  return {status, {{"Content-Type", "application/json"}}, body.dump()};
}

std::optional<std::size_t> number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || end != text.end() || text.empty()) return std::nullopt;
  return value;
}

// "4-9", "4-" or "-6" of `size` bytes: first and one past the last.
std::optional<std::pair<std::size_t, std::size_t>> range_of(std::string_view text,
                                                            std::size_t size) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if (!first && last) return std::pair(size - std::min(*last, size), size);
  if (!first || (!last && dash + 1 < text.size())) return std::nullopt;
  return std::pair(*first, last ? std::min(*last + 1, size) : size);
}

WireResponse stretch(const WireRequest& request, const std::string& bytes,
                     WireHeaders headers) {
  headers.emplace_back("Accept-Ranges", "bytes");
  const std::string wanted = request.header("range");
  if (wanted.rfind("bytes=", 0) != 0 || wanted.find(',') != std::string::npos) {
    return {200, std::move(headers), bytes};
  }
  const auto range = range_of(std::string_view(wanted).substr(6), bytes.size());
  if (!range) return {200, std::move(headers), bytes};
  if (range->first >= bytes.size() || range->first >= range->second) {
    return {416, {{"Content-Range", fmt::format("bytes */{}", bytes.size())}}, {}};
  }
  headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", range->first,
                                                    range->second - 1, bytes.size()));
  return {206, std::move(headers),
          bytes.substr(range->first, range->second - range->first)};
}

}  // namespace

std::optional<RegistryContent::Route> RegistryContent::Route::of(
    const std::string& path) {
  if (path == "/v2/" || path == "/v2") return Route{};
  if (path.rfind("/v2/", 0) != 0) return std::nullopt;
  for (const char* part :
       {"/blobs/uploads/", "/manifests/", "/blobs/", "/tags/", "/referrers/"}) {
    const std::size_t at = path.rfind(part);
    if (at == std::string::npos || at < 4) continue;
    const std::string_view name(part);
    const std::string_view kind =
        name == "/blobs/uploads/" ? "uploads" : name.substr(1, name.size() - 2);
    return Route{path.substr(4, at - 4), std::string(kind),
                 path.substr(at + name.size())};
  }
  return std::nullopt;
}

WireResponse RegistryContent::answer(const WireRequest& request) {
  const std::lock_guard lock(mutex_);
  if (request.path() == "/token") return token(request);
  const auto route = Route::of(request.path());
  if (!route) return failure(404, "NAME_UNKNOWN", "no such path");
  if (auto refused = refuse_locked(request, *route)) return *refused;
  return dispatch(request, *route);
}

std::optional<WireResponse> RegistryContent::refuse(const WireRequest& request) {
  const std::lock_guard lock(mutex_);
  const auto route = Route::of(request.path());
  if (!route) return std::nullopt;
  return refuse_locked(request, *route);
}

WireResponse RegistryContent::dispatch(const WireRequest& request, const Route& route) {
  if (route.kind.empty()) return {200, {{"Content-Type", "application/json"}}, "{}"};
  if (route.kind == "blobs") return blobs(request, route);
  if (route.kind == "manifests") return manifests(request, route);
  if (route.kind == "tags") return list_tags(request, route);
  if (route.kind == "referrers") return list_referrers(request, route);
  return route.reference.empty() ? start(request, route) : upload(request, route);
}

void RegistryContent::broke_off(const WireRequest& request) {
  const std::lock_guard lock(mutex_);
  const auto route = Route::of(request.path());
  if (!route || route->kind != "uploads" || refuse_locked(request, *route)) return;
  const auto session = sessions_.find(route->reference);
  if (session == sessions_.end() ||
      (request.method != "PATCH" && request.method != "PUT"))
    return;
  const auto state = session->second.states.find(request.query("_state").value_or(""));
  if (state == session->second.states.end() ||
      state->second != session->second.data.size()) {
    return;
  }
  session->second.data += request.body;
}

WireResponse RegistryContent::blobs(const WireRequest& request, const Route& route) {
  auto& known = repositories_[route.repository].blobs;
  const auto found = known.find(route.reference);
  if (found == known.end()) {
    return failure(404, "BLOB_UNKNOWN", "blob unknown to registry");
  }
  if (request.method == "DELETE") {
    known.erase(found);
    return {202, {}, {}};
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return failure(405, "UNSUPPORTED", "the operation is unsupported");
  }
  return stretch(request, found->second,
                 {{"Content-Type", k_octets},
                  {"Docker-Content-Digest", route.reference},
                  {"ETag", "\"" + route.reference + "\""}});
}

bool RegistryContent::mounted(const WireRequest& request, const Route& route,
                              const std::string& digest) {
  if (!options_.mounts) return false;
  const auto from = request.query("from");
  // Who may not read the other repository gets an ordinary session.
  if (from && options_.auth == RegistryOptions::Auth::bearer) {
    const Token* shown = token_of(request);
    if (shown == nullptr || shown->grants.count("repository:" + *from + ":pull") == 0)
      return false;
  }
  for (const auto& [name, repository] : repositories_) {
    if (from && name != *from) continue;
    const auto found = repository.blobs.find(digest);
    if (found == repository.blobs.end()) continue;
    const std::string bytes = found->second;
    repositories_[route.repository].blobs[digest] = bytes;
    return true;
  }
  return false;
}

WireResponse RegistryContent::start(const WireRequest& request, const Route& route) {
  if (request.method != "POST") {
    return failure(405, "UNSUPPORTED", "the operation is unsupported");
  }
  const auto mount = request.query("mount");
  if (mount && mounted(request, route, *mount)) {
    return {201,
            {{"Location", fmt::format("/v2/{}/blobs/{}", route.repository, *mount)},
             {"Docker-Content-Digest", *mount}},
            {}};
  }
  const std::string id = std::to_string(++last_session_);
  sessions_[id].repository = route.repository;
  if (options_.single_post && request.query("digest")) {
    sessions_[id].data = request.body;
    return commit(request, id);
  }
  return progress(202, id);
}

// Where the session stands, with a fresh state. One byte and none look the same.
WireResponse RegistryContent::progress(int status, const std::string& id) {
  Session& session = sessions_.at(id);
  const std::size_t size = session.data.size();
  const std::string state =
      Digest::of(fmt::format("sealed {} {}", id, size)).hex().substr(0, 40) + "%3D.a/b~";
  // As it is after decoding.
  session.states[state.substr(0, 40) + "=.a/b~"] = size;
  WireResponse response{status,
                        {{"Location", fmt::format("/v2/{}/blobs/uploads/{}?_state={}",
                                                  session.repository, id, state)},
                         {"Range", fmt::format("0-{}", size == 0 ? 0 : size - 1)},
                         {"Docker-Upload-UUID", id}},
                        {}};
  if (options_.chunk_minimum > 0 && status == 202) {
    response.headers.emplace_back("OCI-Chunk-Min-Length",
                                  std::to_string(options_.chunk_minimum));
  }
  return response;
}

WireResponse RegistryContent::upload(const WireRequest& request, const Route& route) {
  const auto found = sessions_.find(route.reference);
  if (found == sessions_.end() || found->second.repository != route.repository) {
    return failure(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  }
  Session& session = found->second;
  const auto state = session.states.find(request.query("_state").value_or(""));
  if (state == session.states.end() ||
      request.target.find("%3D.a/b~") == std::string::npos) {
    return failure(404, "BLOB_UPLOAD_INVALID", "the state came back changed");
  }
  const bool stale = state->second != session.data.size();
  if (stale && !options_.resumable) {
    sessions_.erase(found);
    return failure(404, "BLOB_UPLOAD_INVALID", "blob upload invalid");
  }
  if (request.method == "GET") return progress(204, route.reference);
  if (request.method == "DELETE") {
    sessions_.erase(found);
    return {204, {}, {}};
  }
  const std::string stated = request.header("content-range");
  const auto range = range_of(stated, SIZE_MAX);
  if (stale || (range && range->first != session.data.size())) {
    WireResponse response = progress(416, route.reference);
    response.body = failure(416, "RANGE_INVALID", "invalid content range").body;
    return response;
  }
  if (!stated.empty() &&
      (!range || range->second - range->first != request.body.size())) {
    return failure(400, "SIZE_INVALID", "the range is not as long as the body");
  }
  session.data += request.body;
  if (request.method == "PATCH") return progress(202, route.reference);
  if (request.method == "PUT") return commit(request, route.reference);
  return failure(405, "UNSUPPORTED", "the operation is unsupported");
}

WireResponse RegistryContent::commit(const WireRequest& request, const std::string& id) {
  const Session session = std::move(sessions_.at(id));
  sessions_.erase(id);
  const std::string digest = request.query("digest").value_or("");
  if (Digest::of(session.data).str() != digest) {
    return failure(400, "DIGEST_INVALID",
                   "provided digest did not match uploaded content");
  }
  repositories_[session.repository].blobs[digest] = session.data;
  return {201,
          {{"Location", fmt::format("/v2/{}/blobs/{}", session.repository, digest)},
           {"Docker-Content-Digest", digest}},
          {}};
}

std::string RegistryContent::digest_of(const Repository& repository,
                                       const std::string& reference) const {
  const auto tag = repository.tags.find(reference);
  return tag == repository.tags.end() ? reference : tag->second;
}

WireResponse RegistryContent::manifests(const WireRequest& request, const Route& route) {
  if (request.method == "PUT") return put(request, route);
  Repository& repository = repositories_[route.repository];
  const std::string digest = digest_of(repository, route.reference);
  const auto found = repository.manifests.find(digest);
  if (found == repository.manifests.end()) {
    return failure(404, "MANIFEST_UNKNOWN", "manifest unknown to registry");
  }
  if (request.method == "DELETE") {
    const bool by_tag = digest != route.reference;
    if (by_tag) repository.tags.erase(route.reference);
    if (!by_tag) {
      repository.manifests.erase(found);
      std::erase_if(repository.tags,
                    [&](const auto& tag) { return tag.second == digest; });
    }
    return {202, {}, {}};
  }
  const std::string etag = "\"" + digest + "\"";
  WireHeaders headers = {{"Docker-Content-Digest", digest}, {"ETag", etag}};
  if (request.header("if-none-match") == etag) return {304, std::move(headers), {}};
  headers.emplace_back("Content-Type", found->second.type);
  return {200, std::move(headers), found->second.bytes};
}

// What is wrong with a manifest; else its subject's digest, if it has one.
std::optional<WireResponse> RegistryContent::invalid(const WireRequest& request,
                                                     const Route& route,
                                                     std::string& subject) const {
  try {
    const json manifest = oci::parse_json(request.body, "the manifest");
    if (manifest.value("mediaType", request.header("content-type")) !=
        request.header("content-type")) {
      return failure(400, "MANIFEST_INVALID", "mediaType is not the Content-Type");
    }
    if (manifest.contains("subject")) subject = manifest["subject"].at("digest");
    if (!options_.validate) return std::nullopt;
    const Repository& repository = repositories_.at(route.repository);
    std::vector<std::string> blobs;
    if (manifest.contains("config")) blobs.push_back(manifest["config"].at("digest"));
    for (const json& layer : manifest.value("layers", json::array())) {
      if (!layer.contains("urls")) blobs.push_back(layer.at("digest"));
    }
    for (const json& child : manifest.value("manifests", json::array())) {
      const std::string digest = child.at("digest");
      if (repository.manifests.count(digest) == 0) {
        return failure(400, "MANIFEST_BLOB_UNKNOWN", "manifest unknown: " + digest);
      }
    }
    for (const std::string& digest : blobs) {
      if (repository.blobs.count(digest) == 0) {
        return failure(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown: " + digest);
      }
    }
    return std::nullopt;
  } catch (const std::exception&) {
    return failure(400, "MANIFEST_INVALID", "manifest invalid");
  }
}

WireResponse RegistryContent::put(const WireRequest& request, const Route& route) {
  Repository& repository = repositories_[route.repository];
  const std::string digest = Digest::of(request.body).str();
  const bool by_digest = route.reference.find(':') != std::string::npos;
  if (request.body.size() > k_max_manifest) {
    return failure(413, "SIZE_INVALID", "manifest too large");
  }
  if (by_digest && route.reference != digest) {
    return failure(400, "DIGEST_INVALID", "provided digest did not match content");
  }
  std::string subject;
  if (auto refused = invalid(request, route, subject)) return *refused;
  repository.manifests[digest] = {request.body, request.header("content-type")};
  if (!by_digest) repository.tags[route.reference] = digest;
  WireResponse response{
      201,
      {{"Location", fmt::format("/v2/{}/manifests/{}", route.repository, digest)},
       {"Docker-Content-Digest", digest}},
      {}};
  if (options_.referrers && !subject.empty())
    response.headers.emplace_back("OCI-Subject", subject);
  return response;
}

WireResponse RegistryContent::list_tags(const WireRequest& request,
                                        const Route& route) const {
  const auto found = repositories_.find(route.repository);
  if (found == repositories_.end() || found->second.manifests.empty()) {
    return failure(404, "NAME_UNKNOWN", "repository name not known to registry");
  }
  const std::size_t asked = number(request.query("n").value_or("")).value_or(SIZE_MAX);
  const std::size_t most = std::min(asked, options_.page);
  const std::string last = request.query("last").value_or("");
  json tags = json::array();
  WireResponse response{200, {{"Content-Type", "application/json"}}, {}};
  for (const auto& [tag, digest] : found->second.tags) {
    if (tag <= last) continue;
    if (tags.size() == most) {
      if (most == 0) break;
      response.headers.emplace_back(
          "Link", fmt::format("</v2/{}/tags/list?n={}&last={}>; rel=\"next\"",
                              route.repository, most, tags.back().get<std::string>()));
      break;
    }
    tags.push_back(tag);
  }
  response.body = json{{"name", route.repository}, {"tags", tags}}.dump();
  return response;
}

WireResponse RegistryContent::list_referrers(const WireRequest& request,
                                             const Route& route) const {
  if (!options_.referrers)
    return {404, {{"Content-Type", "text/plain"}}, "404 page not found\n"};
  const auto type = request.query("artifactType");
  json list = json::array();
  const auto found = repositories_.find(route.repository);
  const std::map<std::string, Manifest> none;
  for (const auto& [digest, kept] :
       found == repositories_.end() ? none : found->second.manifests) {
    const json manifest = json::parse(kept.bytes, nullptr, false);
    if (!manifest.is_object() || !manifest.contains("subject") ||
        manifest["subject"].value("digest", "") != route.reference) {
      continue;
    }
    const json config = manifest.value("config", json::object());
    json entry = {
        {"mediaType", kept.type},
        {"digest", digest},
        {"size", kept.bytes.size()},
        {"artifactType", manifest.value("artifactType", config.value("mediaType", ""))}};
    if (manifest.contains("annotations")) entry["annotations"] = manifest["annotations"];
    if (!type || entry["artifactType"] == *type) list.push_back(std::move(entry));
  }
  const json body = {{"schemaVersion", 2}, {"mediaType", k_index}, {"manifests", list}};
  WireResponse response{200, {{"Content-Type", k_index}}, body.dump()};
  if (type) response.headers.emplace_back("OCI-Filters-Applied", "artifactType");
  return response;
}
