// realm_policy: a table of what is known, and caution for the rest.
#include "oci/registry/realm_policy.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

struct Pair {
  std::string_view registry;  // "*.x": any name below x
  std::string_view realm;
};
constexpr std::array k_pairs = {
    Pair{"*.docker.io", "auth.docker.io"},
    Pair{"docker.io", "auth.docker.io"},
    Pair{"registry.gitlab.com", "gitlab.com"},
    Pair{"*.gcr.io", "gcr.io"},
};

// Where anyone gets a name: clouds, hosters, dynamic DNS. Below these only the same host
// is the same owner.
constexpr std::array<std::string_view, 50> k_shared = {
    "amazonaws.com",
    "azurecr.io",
    "azurewebsites.net",
    "azure.com",
    "windows.net",
    "cloudapp.net",
    "trafficmanager.net",
    "azurefd.net",
    "pkg.dev",
    "run.app",
    "web.app",
    "appspot.com",
    "firebaseapp.com",
    "googleapis.com",
    "cloudfunctions.net",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "herokuapp.com",
    "netlify.app",
    "vercel.app",
    "fly.dev",
    "onrender.com",
    "pages.dev",
    "workers.dev",
    "cloudfront.net",
    "fastly.net",
    "digitaloceanspaces.com",
    "ondigitalocean.app",
    "jfrog.io",
    "cr.io",
    "scw.cloud",
    "ovh.net",
    "linodeobjects.com",
    "aliyuncs.com",
    "myqcloud.com",
    "ngrok.io",
    "ngrok.app",
    "ngrok.dev",
    "nip.io",
    "sslip.io",
    "xip.io",
    "duckdns.org",
    "dyndns.org",
    "no-ip.org",
    "surge.sh",
    "repl.co",
    "rhcloud.com",
    "openshiftapps.com",
    "icr.io",
};
// "co.uk", "com.br": what registries of countries sell names under.
constexpr std::array<std::string_view, 18> k_second_level = {
    "ac", "co",  "com", "edu", "gob", "gov", "gouv", "go",  "gv",
    "id", "ltd", "mil", "ne",  "net", "nom", "or",   "org", "plc"};

template <std::size_t N>
bool is_among(const std::array<std::string_view, N>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Its last two labels; empty if there are fewer, or if it is an address.
std::string_view last_two_labels(std::string_view host) {
  const std::size_t last = host.rfind('.');
  if (last == std::string_view::npos || last == 0 || last + 1 == host.size()) return {};
  const std::string_view top = host.substr(last + 1);
  const bool number = top.find_first_not_of("0123456789") == std::string_view::npos;
  if (number || host.front() == '[') return {};
  const std::size_t dot = host.rfind('.', last - 1);
  if (dot == std::string_view::npos) return host;
  return host.substr(dot + 1);
}

bool is_public_suffix(std::string_view two_labels) {
  const std::size_t dot = two_labels.find('.');
  const std::string_view second = two_labels.substr(0, dot);
  const bool country = two_labels.size() - dot == 3;
  return is_among(k_shared, two_labels) || (country && is_among(k_second_level, second));
}

bool matches(std::string_view pattern, std::string_view host) {
  if (pattern.substr(0, 2) != "*.") return pattern == host;
  const std::string_view suffix = pattern.substr(1);
  return host.size() > suffix.size() &&
         host.substr(host.size() - suffix.size()) == suffix;
}

bool is_known_pair(const std::string& registry, const std::string& realm) {
  return std::any_of(k_pairs.begin(), k_pairs.end(), [&](const Pair& pair) {
    return pair.realm == realm && matches(pair.registry, registry);
  });
}

// People write names as they like; an origin's is in lower case.
bool is_named(const Origin& origin, const std::vector<std::string>& trusted) {
  const std::string with_port = fmt::format("{}:{}", origin.host, origin.port);
  return std::any_of(trusted.begin(), trusted.end(), [&](std::string name) {
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return name == origin.host || name == with_port;
  });
}

}  // namespace

bool same_registrable_domain(std::string_view a, std::string_view b) {
  const std::string_view domain = last_two_labels(a);
  return !domain.empty() && domain == last_two_labels(b) && !is_public_suffix(domain);
}

Realm judge_realm(const std::string& realm, const Origin& registry,
                  const std::vector<std::string>& trusted) {
  const std::optional<std::string> url = resolve_url(registry.str() + "/v2/", realm);
  const std::optional<Origin> origin = url ? Origin::of(*url) : std::nullopt;
  if (!origin) {
    throw Error(Errc::denied,
                fmt::format("{} names a token server that is no http or https URL: {}",
                            registry.str(), harmless(url_for_people(realm), 200)));
  }
  if (registry.is_secure() && !origin->is_secure()) {
    throw Error(Errc::denied, fmt::format("{} wants to log in at {}, where everyone on "
                                          "the way can read along",
                                          registry.str(), harmless(origin->str(), 200)))
        .add_hint("tell the registry's operator that its realm must be https");
  }
  Realm judged{*url, *origin};
  judged.named_by_user = is_named(*origin, trusted);
  judged.gets_secrets = judged.named_by_user || origin->host == registry.host;
  // Being related is no reason to be sent a password in the clear.
  if (origin->is_secure() && (same_registrable_domain(origin->host, registry.host) ||
                              is_known_pair(registry.host, origin->host))) {
    judged.gets_secrets = true;
  }
  return judged;
}

}  // namespace oci
