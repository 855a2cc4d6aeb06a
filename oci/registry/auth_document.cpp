// auth_document: the keys, entries and helpers of an auth file.
#include "oci/registry/auth_document.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/json.h"
#include "oci/registry/server_error.h"

namespace oci {

using nlohmann::json;

namespace {

Error broken(const std::string& name, const std::string& finding) {
  return Error(Errc::bad_input, name + " " + finding);
}

// The object `member` of `document`; nullptr if there is none.
const json* object_in(const json& document, const char* member, const std::string& name) {
  const auto found = document.find(member);
  if (found == document.end() || found->is_null()) return nullptr;
  if (!found->is_object()) {
    throw broken(name, fmt::format("has `{}`, which is no object", member));
  }
  return &*found;
}

void require_environment_form(const json& document, const std::string& name) {
  for (const auto& [member, value] : document.items()) {
    if (member != "auths") {
      throw broken(name, fmt::format("has the member `{}`: only `auths` is allowed there",
                                     harmless(member, 60)));
    }
  }
  const json* auths = object_in(document, "auths", name);
  if (auths == nullptr) return;
  for (const auto& [key, entry] : auths->items()) {
    if (!entry.is_object()) continue;  // told when it is looked up
    for (const auto& [member, value] : entry.items()) {
      if (member != "auth") {
        throw broken(name, fmt::format("has the member `{}` for {}: only `auth` is "
                                       "allowed there",
                                       harmless(member, 60), harmless(key, 200)));
      }
    }
  }
}

// Text in a member, which may be left out.
std::string text_in(const json& entry, const char* member, const std::string& where) {
  const auto found = entry.find(member);
  if (found == entry.end() || found->is_null()) return {};
  if (!found->is_string()) {
    throw broken(where, fmt::format("has `{}`, which is no text", member));
  }
  return found->get<std::string>();
}

// A token stands in a header as it is.
void require_token(const std::string& token, const std::string& where) {
  const bool fine =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!fine) throw broken(where, "has a token with characters that no token has");
}

// `auth`: base64 of USER:PASSWORD, where old clients left zero bytes at the end.
void split_auth(const std::string& auth, Credential& credential,
                const std::string& where) {
  std::optional<std::string> text = base64_decode(auth);
  if (!text) throw broken(where, "has an `auth` that is not base64");
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos || colon == 0) {
    throw broken(where, "has an `auth` that is not USER:PASSWORD");
  }
  credential.username = text->substr(0, colon);
  std::string password = text->substr(colon + 1);
  password.resize(password.find_last_not_of('\0') + 1);
  credential.secret = Secret(std::move(password));
  Secret(std::move(*text));  // wiped
}

std::optional<Credential> read_entry(const json& entry, const std::string& where) {
  if (!entry.is_object()) throw broken(where, "is no object");
  Credential credential;
  credential.origin = where;
  credential.username = text_in(entry, "username", where);
  credential.secret = Secret(text_in(entry, "password", where));
  const std::string auth = text_in(entry, "auth", where);
  if (!auth.empty()) split_auth(auth, credential, where);
  if (std::string token = text_in(entry, "registrytoken", where); !token.empty()) {
    require_token(token, where);
    credential.kind = Credential::Kind::registry_token;
    credential.secret = Secret(std::move(token));
  } else if (token = text_in(entry, "identitytoken", where); !token.empty()) {
    credential.kind = Credential::Kind::identity_token;
    credential.secret = Secret(std::move(token));
  } else if (credential.username.empty()) {
    return std::nullopt;
  }
  return credential;
}

// The keys that mean `wanted`, the plainest first.
std::vector<std::string> keys_for(const json& entries, const AuthKey& wanted) {
  std::vector<std::string> keys;
  const std::string plain =
      wanted.path.empty() ? wanted.host : wanted.host + "/" + wanted.path;
  if (entries.contains(plain)) keys.push_back(plain);
  const std::string hub(k_hub_key);
  if (wanted == AuthKey{"docker.io"} && entries.contains(hub)) keys.push_back(hub);
  for (const auto& [key, value] : entries.items()) {
    const bool known = std::find(keys.begin(), keys.end(), key) != keys.end();
    if (!known && read_auth_key(key) == wanted) keys.push_back(key);
  }
  return keys;
}

std::string_view above(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace

std::string registry_name(std::string_view host) {
  std::string name(host);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name == "index.docker.io" || name == "registry-1.docker.io") return "docker.io";
  return name;
}

AuthKey read_auth_key(std::string_view key) {
  const std::size_t scheme = key.find("://");
  if (scheme != std::string_view::npos) key.remove_prefix(scheme + 3);
  const std::size_t slash = key.find('/');
  AuthKey read{registry_name(key.substr(0, slash))};
  if (scheme != std::string_view::npos || slash == std::string_view::npos) return read;
  std::string_view path = key.substr(slash + 1);
  while (!path.empty() && path.back() == '/')
    path.remove_suffix(1);
  if (path != "v1" && path != "v2") read.path = path;
  return read;
}

std::string helper_server(const std::string& domain) {
  const std::string name = registry_name(domain);
  return name == "docker.io" ? std::string(k_hub_key) : name;
}

json parse_auth_document(std::string_view text, const std::string& name, AuthForm form) {
  json document = parse_json(text, name);
  if (!document.is_object()) throw broken(name, "is no JSON object");
  if (form == AuthForm::environment) require_environment_form(document, name);
  return document;
}

std::optional<json> read_auth_document(const std::filesystem::path& file, AuthForm form) {
  std::string text;
  try {
    text = read_file(file, k_max_json);
  } catch (const Error& e) {
    if (e.code() != Errc::not_found) throw;
    return std::nullopt;
  }
  // Tools make the file before they have something to write.
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return json::object();
  json document = parse_auth_document(text, file.string(), form);
  Secret(std::move(text));  // wiped
  return document;
}

std::optional<Credential> find_auth_entry(const json& document, AuthForm form,
                                          const std::string& name,
                                          const std::string& domain,
                                          std::string_view path) {
  const json* entries =
      form == AuthForm::dockercfg ? &document : object_in(document, "auths", name);
  if (entries == nullptr) return std::nullopt;
  const std::string host = registry_name(domain);
  for (;; path = above(path)) {
    for (const std::string& key : keys_for(*entries, {host, std::string(path)})) {
      const std::string where = fmt::format("{}, key {}", name, harmless(key, 200));
      if (std::optional<Credential> found = read_entry(entries->at(key), where)) {
        return found;
      }
    }
    if (path.empty()) return std::nullopt;
  }
}

std::string find_auth_helper(const json& document, const std::string& name,
                             const std::string& domain) {
  if (const json* helpers = object_in(document, "credHelpers", name)) {
    const auto keys = keys_for(*helpers, {registry_name(domain)});
    if (!keys.empty()) return text_in(*helpers, keys.front().c_str(), name);
  }
  return text_in(document, "credsStore", name);
}

}  // namespace oci
