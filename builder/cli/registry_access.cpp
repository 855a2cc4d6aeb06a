#include "builder/cli/registry_access.h"

#include <unistd.h>

#include <fmt/format.h>

namespace lithify {

namespace {

std::string variable(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

std::filesystem::path config_home(const Environment& environment) {
  const std::string given = variable(environment, "XDG_CONFIG_HOME");
  if (!given.empty()) return given;
  const std::string home = variable(environment, "HOME");
  return home.empty() ? "" : std::filesystem::path(home) / ".config";
}

// "a,b c": three names.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::size_t start = 0;
  while ((start = text.find_first_not_of(", \t", start)) != std::string::npos) {
    const std::size_t end = std::min(text.find_first_of(", \t", start), text.size());
    words.push_back(text.substr(start, end - start));
    start = end;
  }
  return words;
}

oci::RegistryConfigPlaces config_places(const Environment& environment) {
  oci::RegistryConfigPlaces places;
  places.registries_conf = variable(environment, "CONTAINERS_REGISTRIES_CONF");
  places.config_home = config_home(environment);
  places.insecure = words_of(variable(environment, "LITHIFY_INSECURE_REGISTRIES"));
  return places;
}

oci::RegistrySettings settings(const Environment& environment,
                               const RegistryOptions& options) {
  oci::RegistrySettings made;
  made.trusted_realms = words_of(variable(environment, "LITHIFY_TRUSTED_REALMS"));
  made.retry = options.retry;
  made.chunk_size = options.chunk_size;
  made.tell = options.warn;
  made.stop = options.stop;
  return made;
}

}  // namespace

oci::KeychainPlaces keychain_places(const Environment& environment,
                                    const std::string& auth_file) {
  oci::KeychainPlaces places;
  places.auth_file =
      auth_file.empty() ? variable(environment, "REGISTRY_AUTH_FILE") : auth_file;
  places.docker_auth_config = variable(environment, "DOCKER_AUTH_CONFIG");
  places.docker_config = variable(environment, "DOCKER_CONFIG");
  places.runtime_directory = variable(environment, "XDG_RUNTIME_DIR");
  if (places.runtime_directory.empty()) {
    places.runtime_directory = fmt::format("/run/user/{}", getuid());
  }
  places.config_home = config_home(environment);
  places.home = variable(environment, "HOME");
  return places;
}

RegistryAccess::RegistryAccess(oci::HttpClient& http, const Environment& environment,
                               const RegistryOptions& options)
    : keychain_(oci::file_keychain(keychain_places(environment, options.auth_file))),
      config_(config_places(environment)),
      registries_(http, *keychain_, config_, settings(environment, options)) {}

}  // namespace lithify
