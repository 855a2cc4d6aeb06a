// RegistryContent: who may do what, and what tests prepare and look at.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "oci/base/digest.h"

#include "tests/support/registry_content.h"

using nlohmann::json;
using oci::Digest;

namespace {

std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      result +=
          static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      result += text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

// The values of `name` in "a=1&b=2".
std::vector<std::string> values(std::string_view form, std::string_view name) {
  std::vector<std::string> found;
  while (!form.empty()) {
    const std::string_view pair = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(pair.size() + 1, form.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (decoded(pair.substr(0, equals)) == name)
      found.push_back(decoded(pair.substr(std::min(equals + 1, pair.size()))));
  }
  return found;
}

std::string base64(const std::string& text) {
  std::string result(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  result.resize(static_cast<std::size_t>(length));
  return result;
}

bool reads(const std::string& method) {
  return method == "GET" || method == "HEAD";
}

// "repository:a/b:pull,push" as one grant for each action.
std::vector<std::string> grants_of(const std::string& scope) {
  std::vector<std::string> grants;
  const std::size_t colon = scope.rfind(':');
  if (colon == std::string::npos) return grants;
  std::string_view actions = std::string_view(scope).substr(colon + 1);
  while (!actions.empty()) {
    const std::string_view action = actions.substr(0, actions.find(','));
    grants.push_back(scope.substr(0, colon + 1) + std::string(action));
    actions.remove_prefix(std::min(action.size() + 1, actions.size()));
  }
  return grants;
}

}  // namespace

std::vector<std::string> WireRequest::queries(std::string_view name) const {
  const std::size_t mark = target.find('?');
  if (mark == std::string::npos) return {};
  return values(std::string_view(target).substr(mark + 1), name);
}

std::optional<std::string> WireRequest::query(std::string_view name) const {
  const std::vector<std::string> found = queries(name);
  return found.empty() ? std::nullopt : std::optional(found.front());
}

std::string WireRequest::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

bool RegistryContent::has_password(const WireRequest& request) const {
  return request.header("authorization") ==
         "Basic " + base64(options_.user + ":" + options_.password);
}

const RegistryContent::Token* RegistryContent::token_of(
    const WireRequest& request) const {
  const std::string shown = request.header("authorization");
  if (shown.rfind("Bearer ", 0) != 0) return nullptr;
  const auto found = tokens_.find(shown.substr(7));
  if (found == tokens_.end() || found->second.end <= std::chrono::steady_clock::now())
    return nullptr;
  return &found->second;
}

WireResponse RegistryContent::challenge(const WireRequest& request, const Route& route,
                                        bool insufficient) const {
  std::string text = "Basic realm=\"test\"";
  if (options_.auth == RegistryOptions::Auth::bearer) {
    const std::string realm = options_.realm.empty()
                                  ? "http://" + request.header("host") + "/token"
                                  : options_.realm;
    text = fmt::format("Bearer realm=\"{}\",service=\"test\"", realm);
    if (!route.kind.empty()) {
      text += fmt::format(",scope=\"repository:{}:{}\"", route.repository,
                          reads(request.method) ? "pull" : "pull,push");
    }
    if (insufficient) text += ",error=\"insufficient_scope\"";
  }
  const json body = {
      {"errors", {{{"code", "UNAUTHORIZED"}, {"message", "authentication required"}}}}};
  return {401,
          {{"WWW-Authenticate", text}, {"Content-Type", "application/json"}},
          body.dump()};
}

std::optional<WireResponse> RegistryContent::refuse_locked(const WireRequest& request,
                                                           const Route& route) {
  if (options_.auth == RegistryOptions::Auth::none) return std::nullopt;
  if (options_.auth == RegistryOptions::Auth::basic) {
    if (has_password(request)) return std::nullopt;
    return challenge(request, route, false);
  }
  const Token* shown = token_of(request);
  if (shown == nullptr) return challenge(request, route, false);
  if (route.kind.empty()) return std::nullopt;
  const std::string action = reads(request.method) ? "pull" : "push";
  if (shown->grants.count("repository:" + route.repository + ":" + action) > 0)
    return std::nullopt;
  return challenge(request, route, true);
}

// By GET with Basic, or by POST of a form with a password or a refresh token.
WireResponse RegistryContent::token(const WireRequest& request) {
  const auto field = [&](const char* name) {
    const std::vector<std::string> found = values(request.body, name);
    return found.empty() ? std::string() : found.front();
  };
  const bool posted = request.method == "POST";
  const bool by_refresh = posted && field("grant_type") == "refresh_token" &&
                          field("refresh_token") == options_.refresh_token;
  const bool by_password = posted && field("grant_type") == "password" &&
                           field("username") == options_.user &&
                           field("password") == options_.password;
  const bool known = by_refresh || by_password || (!posted && has_password(request));
  const bool nameless = !posted && request.header("authorization").empty();
  if (!known && !(nameless && options_.anonymous_pull)) {
    return {401,
            {{"Content-Type", "application/json"}},
            R"({"details":"incorrect username or password"})"};
  }
  Token fresh;
  fresh.end = std::chrono::steady_clock::now() + options_.token_life;
  for (const std::string& scopes :
       posted ? values(request.body, "scope") : request.queries("scope")) {
    std::size_t at = 0;
    while (at < scopes.size()) {
      const std::size_t end = std::min(scopes.find(' ', at), scopes.size());
      for (std::string& grant : grants_of(scopes.substr(at, end - at))) {
        if (known || grant.ends_with(":pull")) fresh.grants.insert(std::move(grant));
      }
      at = end + 1;
    }
  }
  const std::string name = "token-" + std::to_string(++last_token_);
  tokens_[name] = std::move(fresh);
  const auto life =
      std::chrono::duration_cast<std::chrono::seconds>(options_.token_life).count();
  const json body = {{"token", name}, {"access_token", name}, {"expires_in", life}};
  return {200, {{"Content-Type", "application/json"}}, body.dump()};
}

std::string RegistryContent::put_blob(const std::string& repository,
                                      const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  const std::string digest = Digest::of(bytes).str();
  repositories_[repository].blobs[digest] = bytes;
  return digest;
}

std::string RegistryContent::put_manifest(const std::string& repository,
                                          const std::string& reference,
                                          const std::string& bytes,
                                          const std::string& type) {
  const std::lock_guard lock(mutex_);
  const std::string digest = Digest::of(bytes).str();
  repositories_[repository].manifests[digest] = {bytes, type};
  if (reference != digest) repositories_[repository].tags[reference] = digest;
  return digest;
}

std::optional<std::string> RegistryContent::blob(const std::string& repository,
                                                 const std::string& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end()) return std::nullopt;
  const auto bytes = found->second.blobs.find(digest);
  if (bytes == found->second.blobs.end()) return std::nullopt;
  return bytes->second;
}

std::optional<std::string> RegistryContent::manifest(const std::string& repository,
                                                     const std::string& reference) const {
  const std::lock_guard lock(mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end()) return std::nullopt;
  const auto kept = found->second.manifests.find(digest_of(found->second, reference));
  if (kept == found->second.manifests.end()) return std::nullopt;
  return kept->second.bytes;
}

std::vector<std::string> RegistryContent::tags(const std::string& repository) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  const auto found = repositories_.find(repository);
  if (found == repositories_.end()) return names;
  for (const auto& [tag, digest] : found->second.tags)
    names.push_back(tag);
  return names;
}

std::size_t RegistryContent::sessions() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

std::size_t RegistryContent::tokens() const {
  const std::lock_guard lock(mutex_);
  return last_token_;
}

void RegistryContent::expire_tokens() {
  const std::lock_guard lock(mutex_);
  tokens_.clear();
}
