// token_scope: the token specification's grammar of scopes.
#include "oci/registry/token_scope.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace oci {

namespace {

constexpr std::size_t k_max_scopes = 16;
constexpr std::size_t k_max_scope = 1024;

using Actions = std::set<std::string, std::less<>>;
using Grants = std::vector<std::pair<std::string, Actions>>;

Actions split_actions(std::string_view text) {
  Actions actions;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) actions.emplace(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return actions;
}

// A name may have colons (a host with its port): the actions stand behind the last.
Grants grants_of(const Scopes& scopes) {
  Grants grants;
  for (const std::string& scope : scopes) {
    const std::size_t colon = scope.rfind(':');
    if (colon == std::string::npos) continue;
    const std::string resource = scope.substr(0, colon);
    auto found = std::find_if(grants.begin(), grants.end(),
                              [&](const auto& grant) { return grant.first == resource; });
    if (found == grants.end()) found = grants.insert(found, {resource, {}});
    found->second.merge(split_actions(std::string_view(scope).substr(colon + 1)));
  }
  return grants;
}

Scopes scopes_of(const Grants& grants) {
  Scopes scopes;
  for (const auto& [resource, actions] : grants) {
    std::string scope = resource + ":";
    for (const std::string& action : actions) {
      if (scope.back() != ':') scope += ',';
      scope += action;
    }
    scopes.push_back(std::move(scope));
  }
  return scopes;
}

}  // namespace

Scopes merged_scopes(const Scopes& scopes) {
  return scopes_of(grants_of(scopes));
}

std::string scope_key(const Scopes& scopes) {
  Scopes sorted = merged_scopes(scopes);
  std::sort(sorted.begin(), sorted.end());
  std::string key;
  for (const std::string& scope : sorted)
    key += scope + " ";
  return key;
}

Scopes missing_scopes(const Scopes& asked, const Scopes& wanted) {
  const Grants have = grants_of(asked);
  Grants missing;
  for (auto& [resource, actions] : grants_of(wanted)) {
    Actions left = actions;
    for (const auto& [known, allowed] : have) {
      if (known != resource) continue;
      if (allowed.count("*") > 0) left.clear();
      for (const std::string& action : allowed)
        left.erase(action);
    }
    if (!left.empty()) missing.emplace_back(resource, std::move(left));
  }
  return scopes_of(missing);
}

Scopes split_scopes(std::string_view text) {
  Scopes scopes;
  while (!text.empty() && scopes.size() < k_max_scopes) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string_view scope = text.substr(0, blank);
    const bool plain = std::all_of(scope.begin(), scope.end(),
                                   [](char c) { return c > ' ' && c < 0x7f; });
    if (!scope.empty() && scope.size() <= k_max_scope && plain) {
      scopes.emplace_back(scope);
    }
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  return scopes;
}

}  // namespace oci
