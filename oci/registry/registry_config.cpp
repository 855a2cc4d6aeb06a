// RegistryConfig: which rule a repository falls under, and the certificates of hosts.
#include "oci/registry/registry_config.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/registries_conf.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_rules = 1000;
constexpr std::size_t k_max_entries = 1000;  // of a directory
constexpr std::string_view k_hub = "docker.io";

// The entries of a directory in name order; nothing if it is not there.
std::vector<fs::path> entries(const fs::path& directory, std::error_code& error) {
  std::vector<fs::path> found;
  fs::directory_iterator it(directory, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    if (found.size() == k_max_entries) {
      throw Error(Errc::bad_input, fmt::format("{} has more than {} entries",
                                               directory.string(), k_max_entries));
    }
    found.push_back(it->path());
  }
  if (error == std::errc::no_such_file_or_directory ||
      error == std::errc::not_a_directory) {
    error.clear();
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> drop_ins(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> found = entries(directory, error);
  if (error) throw errno_error(error.value(), "opening " + directory.string());
  std::erase_if(found, [](const fs::path& path) { return path.extension() != ".conf"; });
  return found;
}

// How many bytes of `name` the prefix covers; nullopt if it does not match. A "*" counts
// as what it stands for.
std::optional<std::size_t> covered(std::string_view prefix, std::string_view name) {
  if (!prefix.starts_with("*.")) {
    if (!name.starts_with(prefix)) return std::nullopt;
    const bool whole = name.size() == prefix.size() || name[prefix.size()] == '/';
    if (!whole) return std::nullopt;
    return prefix.size();
  }
  prefix.remove_prefix(1);
  const std::string_view host = name.substr(0, name.find_first_of("/:"));
  if (host.size() <= prefix.size() || !host.ends_with(prefix)) return std::nullopt;
  return host.size();
}

// What certs.d has for one host. Judged only when that host is asked for: a mistake in
// another's directory is no reason to stop.
struct HostCertificates {
  fs::path directory;
  std::vector<fs::path> files = {};
  std::error_code error = {};

  TlsSettings settings() const {
    if (error) throw errno_error(error.value(), "opening " + directory.string());
    TlsSettings tls;
    for (const fs::path& file : files) {
      if (file.extension() == ".crt") tls.authorities.push_back(file.string());
      if (file.extension() == ".cert") need(file, ".key");
      if (file.extension() == ".key") need(file, ".cert");
      // libcurl shows one certificate; the first in name order is as good as any.
      if (file.extension() == ".cert" && tls.certificate.empty()) {
        tls.certificate = file.string();
        tls.key = fs::path(file).replace_extension(".key").string();
      }
    }
    return tls;
  }

 private:
  void need(const fs::path& file, const char* extension) const {
    const fs::path other = fs::path(file).replace_extension(extension);
    if (std::binary_search(files.begin(), files.end(), other)) return;
    throw Error(Errc::bad_input, fmt::format("{} has no {} beside it", file.string(),
                                             other.filename().string()))
        .add_note(
            "a *.cert and the *.key of the same name are what a client shows to "
            "the server; authorities are *.crt")
        .add_hint(fmt::format("add {} or remove {}", other.string(), file.string()));
  }
};

bool is_domain(std::string_view domain) {
  return !domain.empty() && domain.front() != '.' && domain.find("..") == domain.npos &&
         domain.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789.-_:[]") == domain.npos;
}

}  // namespace

struct RegistryConfig::State {
  std::map<std::string, RegistryRule> rules;  // by prefix
  std::map<std::string, HostCertificates> certificates;
  std::set<std::string> insecure;
  std::vector<std::string> files;

  // Rules of a later file replace those of the same prefix; within a file the first one
  // counts, as it does for podman.
  void read(const fs::path& file) {
    std::set<std::string> seen;
    for (RegistryRule& rule : read_registries_conf(file)) {
      if (seen.insert(rule.prefix).second)
        rules.insert_or_assign(rule.prefix, std::move(rule));
    }
    files.push_back(file.string());
    if (rules.size() > k_max_rules) {
      throw Error(Errc::bad_input,
                  fmt::format("{} and the files before it configure more "
                              "than {} registries",
                              file.string(), k_max_rules));
    }
  }

  // The user's file replaces the system's; drop-ins add to whatever was read, the user's
  // last.
  void read_all(const RegistryConfigPlaces& places) {
    std::vector<fs::path> homes = places.system;
    if (!places.config_home.empty())
      homes.insert(homes.begin(), places.config_home / "containers");
    for (const fs::path& home : homes) {
      std::error_code ignored;
      if (!fs::exists(home / "registries.conf", ignored)) continue;
      read(home / "registries.conf");
      break;
    }
    for (auto home = homes.rbegin(); home != homes.rend(); ++home) {
      for (const fs::path& file : drop_ins(*home / "registries.conf.d"))
        read(file);
    }
  }

  void list_certificates(const fs::path& place) {
    // Not being allowed to look is usual for /etc/docker.
    std::error_code ignored;
    for (const fs::path& directory : entries(place, ignored)) {
      std::error_code error;
      if (!fs::is_directory(directory, error)) continue;
      HostCertificates host{directory};
      host.files = entries(directory, host.error);
      certificates.try_emplace(directory.filename().string(), std::move(host));
    }
  }

  const RegistryRule* rule_for(std::string_view name, std::size_t& length) const {
    const RegistryRule* best = nullptr;
    for (const auto& [prefix, rule] : rules) {
      const auto covers = covered(prefix, name);
      if (!covers) continue;
      // "*" sorts before every host, so that a host in full wins over it.
      if (best == nullptr ||
          std::pair(*covers, prefix.size()) >= std::pair(length, best->prefix.size())) {
        best = &rule;
        length = *covers;
      }
    }
    return best;
  }

  // `name` is host[:port]/path.
  Endpoint endpoint(const std::string& name, bool is_insecure) const {
    const std::size_t slash = name.find('/');
    Endpoint endpoint;
    endpoint.domain = name.substr(0, slash);
    if (slash != std::string::npos) endpoint.path = name.substr(slash + 1);
    const bool hub = endpoint.domain == k_hub || endpoint.domain == "index.docker.io";
    if (hub) endpoint.domain = k_hub;
    if (hub && endpoint.path.find('/') == std::string::npos)
      endpoint.path.insert(0, "library/");
    const std::string host = hub ? "registry-1.docker.io" : endpoint.domain;
    const auto secure = Origin::of("https://" + host);
    const auto plain = Origin::of("http://" + host);
    if (!is_domain(host) || !secure || !plain || endpoint.path.empty()) {
      throw Error(
          Errc::bad_input,
          fmt::format("{} is no host[:port]/path of a repository", harmless(name, 200)));
    }
    const auto known = certificates.find(endpoint.domain);
    if (known != certificates.end()) endpoint.tls = known->second.settings();
    endpoint.origin = *secure;
    if (is_insecure || insecure.count(endpoint.domain) > 0) {
      endpoint.tls.verify = false;
      endpoint.may_be_plain = true;
    } else if (secure->is_loopback() && known == certificates.end()) {
      endpoint.origin = *plain;
    }
    return endpoint;
  }
};

RegistryConfig::RegistryConfig(RegistryConfigPlaces places)
    : state_(std::make_unique<State>()) {
  if (!places.registries_conf.empty()) {
    state_->read(places.registries_conf);
  } else {
    state_->read_all(places);
  }
  if (!places.config_home.empty())
    state_->list_certificates(places.config_home / "containers" / "certs.d");
  for (const fs::path& place : places.certificates)
    state_->list_certificates(place);
  state_->insecure.insert(places.insecure.begin(), places.insecure.end());
}

RegistryConfig::~RegistryConfig() = default;

std::vector<Endpoint> RegistryConfig::endpoints(const std::string& domain,
                                                const std::string& path) const {
  const std::string name = domain + "/" + path;
  std::size_t length = 0;
  const RegistryRule* rule = state_->rule_for(name, length);
  if (rule == nullptr) return {state_->endpoint(name, false)};
  if (rule->blocked) {
    throw Error(Errc::denied, fmt::format("{} is blocked by {}, line {}", harmless(name),
                                          rule->place.file, rule->place.line))
        .at(rule->place, "this registry has `blocked = true`")
        .add_hint(fmt::format("use another registry, or take `blocked = true` out of {}",
                              rule->place.file));
  }
  const std::string rest = name.substr(length);
  return during(
      [&] {
        return fmt::format("following {}, line {}", rule->place.file, rule->place.line);
      },
      [&] {
        std::vector<Endpoint> found;
        for (const MirrorRule& mirror : rule->mirrors) {
          Endpoint& added = found.emplace_back(
              state_->endpoint(mirror.location + rest, mirror.insecure));
          added.mirror = true;
          added.tags = mirror.tags;
          added.digests = mirror.digests;
        }
        found.push_back(state_->endpoint(
            rule->location.empty() ? name : rule->location + rest, rule->insecure));
        return found;
      });
}

Endpoint RegistryConfig::primary(const std::string& domain,
                                 const std::string& path) const {
  return endpoints(domain, path).back();
}

const std::vector<std::string>& RegistryConfig::files() const {
  return state_->files;
}

}  // namespace oci
