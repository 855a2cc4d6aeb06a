// keychain: the files of docker and of containers' tools, in their order.
#include "oci/registry/keychain.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/registry/auth_document.h"
#include "oci/registry/credential_helper.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;

// Long enough for one push, short enough for passwords that are minted to expire.
constexpr std::chrono::minutes k_helper_memory{5};
const std::string k_environment_name = "DOCKER_AUTH_CONFIG";

struct File {
  fs::path path;
  AuthForm form = AuthForm::config;
};

std::vector<File> files_of(const KeychainPlaces& places) {
  if (!places.auth_file.empty()) return {{places.auth_file}};
  std::vector<File> files;
  const auto add = [&](const fs::path& directory, const char* name, AuthForm form) {
    if (directory.empty()) return;
    const fs::path path = (directory / name).lexically_normal();
    const bool known = std::any_of(files.begin(), files.end(),
                                   [&](const File& file) { return file.path == path; });
    if (!known) files.push_back({path, form});
  };
  add(places.docker_config, "config.json", AuthForm::config);
  add(places.runtime_directory, "containers/auth.json", AuthForm::config);
  add(places.config_home, "containers/auth.json", AuthForm::config);
  add(places.home, ".docker/config.json", AuthForm::config);
  add(places.home, ".dockercfg", AuthForm::dockercfg);
  return files;
}

class FileKeychain final : public Keychain {
 public:
  explicit FileKeychain(KeychainPlaces places)
      : environment_(places.auth_file.empty() ? places.docker_auth_config : ""),
        files_(files_of(places)) {}

  std::optional<Credential> find(const std::string& domain, const std::string& path,
                                 bool fresh, std::stop_token stop) override {
    if (!environment_.empty()) {
      const json document =
          parse_auth_document(environment_, k_environment_name, AuthForm::environment);
      auto found = find_auth_entry(document, AuthForm::environment, k_environment_name,
                                   domain, path);
      if (found) return found;
    }
    for (const File& file : files_) {
      if (auto found = find_in(file, {domain, path}, fresh, stop)) return found;
    }
    return std::nullopt;
  }

  std::vector<std::string> places() const override {
    std::vector<std::string> names;
    if (!environment_.empty()) names.push_back(k_environment_name);
    for (const File& file : files_)
      names.push_back(file.path.string());
    return names;
  }

 private:
  struct Remembered {
    std::optional<Credential> credential;
    Clock::time_point until;
  };

  std::optional<Credential> find_in(const File& file, const AuthKey& wanted, bool fresh,
                                    std::stop_token stop) {
    const std::string name = file.path.string();
    const std::optional<json> document = read_auth_document(file.path, file.form);
    if (!document) return std::nullopt;
    auto found = find_auth_entry(*document, file.form, name, wanted.host, wanted.path);
    if (found || file.form == AuthForm::dockercfg) return found;
    const std::string helper = find_auth_helper(*document, name, wanted.host);
    if (helper.empty()) return std::nullopt;
    return during([&] { return "asking the credential helper that " + name + " names"; },
                  [&] { return ask(helper, wanted.host, fresh, std::move(stop)); });
  }

  // One helper at a time: two might ask a person for two passphrases at once.
  std::optional<Credential> ask(const std::string& helper, const std::string& domain,
                                bool fresh, std::stop_token stop) {
    const std::string server = helper_server(domain);
    const std::lock_guard lock(mutex_);
    const auto known = remembered_.find({helper, server});
    if (!fresh && known != remembered_.end() && Clock::now() < known->second.until) {
      return known->second.credential;
    }
    const CredentialHelper program(helper);
    std::optional<Credential> credential = program.get(server, std::move(stop));
    remembered_[{helper, server}] = {credential, Clock::now() + k_helper_memory};
    return credential;
  }

  const std::string environment_;
  const std::vector<File> files_;
  std::mutex mutex_;  // of what follows
  std::map<std::pair<std::string, std::string>, Remembered> remembered_;
};

}  // namespace

std::string credential_for_people(const Credential& credential) {
  const bool named = !credential.username.empty() && credential.username != "<token>";
  constexpr const char* k_nouns[] = {"password", "identity token", "registry token"};
  return fmt::format("the {}{}{} from {}", k_nouns[static_cast<int>(credential.kind)],
                     named ? " of " : "",
                     named ? harmless(credential.username, 100) : std::string(),
                     credential.origin);
}

std::unique_ptr<Keychain> file_keychain(KeychainPlaces places) {
  return std::make_unique<FileKeychain>(std::move(places));
}

}  // namespace oci
