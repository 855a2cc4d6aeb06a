// auth_file: changes to one entry of a config.json.
#include "oci/registry/auth_file.h"

#include <cerrno>
#include <sys/stat.h>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/json.h"
#include "oci/registry/auth_document.h"
#include "oci/registry/credential_helper.h"
#include "oci/store/temporary_file.h"

namespace oci {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Docker's spelling: files that both write change only where they must.
void write_document(const fs::path& file, const json& document) {
  Secret text(document.dump(1, '\t') + "\n");
  if (text.reveal().size() > k_max_json) {
    throw Error(Errc::bad_input, file.string() + " would become larger than is read");
  }
  write_file_atomically(file, text.reveal(), 0600);
}

void make_private_directory(const fs::path& directory) {
  if (directory.empty()) return;
  if (directory.has_parent_path() && directory != directory.parent_path()) {
    make_directories(directory.parent_path());
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw write_error(errno, "creating the directory " + directory.string());
  }
}

// Takes out the entries that mean the whole of `domain`. True if one had content.
bool drop_entries(json& document, const std::string& domain) {
  const auto entries = document.find("auths");
  if (entries == document.end() || !entries->is_object()) return false;
  const AuthKey wanted{registry_name(domain)};
  std::vector<std::string> keys;
  for (const auto& [key, entry] : entries->items()) {
    if (read_auth_key(key) == wanted) keys.push_back(key);
  }
  bool found = false;
  for (const std::string& key : keys) {
    found = found || !entries->at(key).empty();
    entries->erase(key);
  }
  return found;
}

// Fields of what the user typed become part of "USER:PASSWORD".
void require_username(const std::string& username) {
  if (username.empty() || username.find(':') != std::string::npos) {
    throw Error(Errc::bad_input, "a user name must not be empty, nor have a colon");
  }
}

}  // namespace

fs::path login_file(const KeychainPlaces& places) {
  if (!places.auth_file.empty()) return places.auth_file;
  if (!places.docker_config.empty()) return places.docker_config / "config.json";
  if (!places.home.empty()) return places.home / ".docker" / "config.json";
  throw Error(Errc::bad_input, "there is no place for logins: HOME is not set")
      .add_hint("set DOCKER_CONFIG to a directory, or REGISTRY_AUTH_FILE to a file");
}

std::string store_login(const KeychainPlaces& places, const std::string& domain,
                        const std::string& username, const Secret& secret,
                        std::stop_token stop) {
  require_username(username);
  const fs::path file = login_file(places);
  json document = read_auth_document(file, AuthForm::config).value_or(json::object());
  const std::string helper = find_auth_helper(document, file.string(), domain);
  if (!helper.empty()) {
    const CredentialHelper program(helper);
    program.store(helper_server(domain), username, secret, std::move(stop));
    if (drop_entries(document, domain)) write_document(file, document);
    return fmt::format("{} keeps the login of {} for {}", program.program(), username,
                       registry_name(domain));
  }
  drop_entries(document, domain);
  json& entries = document["auths"];
  if (entries.is_null()) entries = json::object();
  if (!entries.is_object()) {
    throw Error(Errc::bad_input, file.string() + " has `auths`, which is no object");
  }
  const Secret pair(username + ":" + secret.reveal());
  entries[helper_server(domain)] = {{"auth", base64_encode(pair.reveal())}};
  make_private_directory(file.parent_path());
  write_document(file, document);
  return fmt::format("the login of {} for {} stands in {}, not encrypted", username,
                     registry_name(domain), file.string());
}

std::optional<std::string> remove_login(const KeychainPlaces& places,
                                        const std::string& domain, std::stop_token stop) {
  const fs::path file = login_file(places);
  std::optional<json> document = read_auth_document(file, AuthForm::config);
  if (!document) return std::nullopt;
  const std::string helper = find_auth_helper(*document, file.string(), domain);
  std::string where;
  if (!helper.empty()) {
    const CredentialHelper program(helper);
    if (program.erase(helper_server(domain), std::move(stop))) where = program.program();
  }
  if (drop_entries(*document, domain)) {
    write_document(file, *document);
    where += (where.empty() ? "" : " and from ") + file.string();
  }
  if (where.empty()) return std::nullopt;
  return fmt::format("the login for {} was removed from {}", registry_name(domain),
                     where);
}

}  // namespace oci
