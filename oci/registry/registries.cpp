#include "oci/registry/registries.h"

#include <algorithm>

#include "oci/registry/registry_client.h"

namespace oci {

namespace {

constexpr std::size_t k_max_places = 8;           // of one blob: more are never tried
constexpr std::size_t k_max_documents = 8 << 20;  // bytes
// Repositories in one token; some servers limit the header that carries it.
constexpr std::size_t k_max_mounts = 8;

}  // namespace

Registries::Registries(HttpClient& http, Keychain& keys, const RegistryConfig& config,
                       RegistrySettings settings)
    : http_(http),
      keys_(keys),
      config_(config),
      settings_(std::move(settings)),
      budget_(settings_.retry_budget) {}

std::unique_ptr<RegistryClient> Registries::open(
    const std::string& name, Access access, const std::vector<std::string>& mount_from) {
  const std::size_t slash = name.find('/');
  const std::string domain = name.substr(0, slash);
  const std::string path = slash == std::string::npos ? "" : name.substr(slash + 1);
  std::vector<Endpoint> endpoints = access == Access::pull
                                        ? config_.endpoints(domain, path)
                                        : std::vector{config_.primary(domain, path)};
  Scopes scopes{"repository:" + endpoints.back().path +
                (access == Access::pull ? ":pull" : ":pull,push")};
  for (const std::string& other : mount_from) {
    if (other == name || other.substr(0, other.find('/')) != domain) continue;
    if (scopes.size() > k_max_mounts) break;
    scopes.push_back("repository:" + other.substr(domain.size() + 1) + ":pull");
  }
  for (Endpoint& endpoint : endpoints)
    settle(endpoint);
  auto http = std::make_unique<RegistryHttp>(
      RegistryHttp::Tools{http_, keys_, pace_, settings_.trusted_realms,
                          settings_.retry.longest_asked},
      std::move(endpoints), std::move(scopes));
  return std::make_unique<RegistryClient>(*this, name, std::move(http));
}

// docker's and podman's "insecure": https, whoever answers, and http if nobody does.
void Registries::settle(Endpoint& endpoint) {
  if (!endpoint.may_be_plain || !endpoint.origin.is_secure()) return;
  const std::lock_guard lock(settling_);
  const auto known = plain_.find(endpoint.origin);
  bool plain = known != plain_.end() && known->second;
  if (known == plain_.end()) {
    HttpRequest request;
    request.url = endpoint.origin.str() + "/v2/";
    request.tls = endpoint.tls;
    request.total_timeout = std::chrono::seconds(15);
    NullSink nothing;
    try {
      http_.send(request, nothing, settings_.stop);
    } catch (const Error& e) {
      if (e.code() != Errc::unavailable && e.code() != Errc::denied) throw;
      plain = true;
    }
    plain_[endpoint.origin] = plain;
  }
  if (!plain) return;
  endpoint.origin.scheme = "http";
  if (endpoint.origin.port == 443) endpoint.origin.port = 80;
}

Patience Registries::patience() {
  return Patience(settings_.retry, &budget_,
                  [this](const std::string& sentence) { tell(sentence); });
}

void Registries::tell(const std::string& sentence) {
  {
    const std::lock_guard lock(mutex_);
    if (!told_.insert(sentence).second) return;
  }
  if (settings_.tell) settings_.tell(sentence);
}

void Registries::seen(const Digest& blob, const std::string& repository) {
  const std::lock_guard lock(mutex_);
  auto& places = places_[blob];
  if (places.size() < k_max_places &&
      std::find(places.begin(), places.end(), repository) == places.end()) {
    places.push_back(repository);
  }
}

std::vector<std::string> Registries::repositories_of(const Digest& blob) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(blob);
  return found == places_.end() ? std::vector<std::string>() : found->second;
}

void Registries::remember(const std::string& repository, const Descriptor& which,
                          const std::string& document) {
  const std::lock_guard lock(mutex_);
  if (document_bytes_ + document.size() > k_max_documents) {
    documents_.clear();
    document_bytes_ = 0;
  }
  if (documents_.try_emplace({repository, which.digest}, which, document).second) {
    document_bytes_ += document.size();
  }
}

std::optional<std::pair<Descriptor, std::string>> Registries::remembered(
    const std::string& repository, const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = documents_.find({repository, digest});
  if (found == documents_.end()) return std::nullopt;
  return found->second;
}

UploadWay Registries::way_to(const Origin& origin) const {
  const std::lock_guard lock(mutex_);
  const auto found = ways_.find(origin);
  return found == ways_.end() ? UploadWay{} : found->second;
}

void Registries::learned(const Origin& origin, UploadWay way) {
  const std::lock_guard lock(mutex_);
  ways_[origin] = way;
}

}  // namespace oci
