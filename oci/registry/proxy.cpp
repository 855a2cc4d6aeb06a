#include "oci/registry/proxy.h"

#include <cstdlib>
#include <string_view>

#include "oci/registry/origin.h"

namespace oci {

namespace {

// In lower case, as libcurl prefers it.
std::string_view variable(const char* lower, const char* upper) {
  for (const char* name : {lower, upper}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool is_named(std::string_view host, std::string_view list) {
  constexpr std::string_view k_separators = ", \t";
  while (!list.empty()) {
    const std::size_t start = list.find_first_not_of(k_separators);
    if (start == std::string_view::npos) break;
    list.remove_prefix(start);
    std::string_view name = list.substr(0, list.find_first_of(k_separators));
    list.remove_prefix(name.size());
    if (name == "*") return true;
    if (name.front() == '.') name.remove_prefix(1);
    if (name.empty() || !host.ends_with(name)) continue;
    if (host.size() == name.size() || host[host.size() - name.size() - 1] == '.') {
      return true;
    }
  }
  return false;
}

}  // namespace

bool is_this_machine(const std::string& url) {
  const auto origin = Origin::of(url);
  return origin && origin->is_loopback();
}

bool has_proxy(const std::string& url) {
  const auto origin = Origin::of(url);
  if (!origin || origin->is_loopback()) return false;
  if (is_named(origin->host, variable("no_proxy", "NO_PROXY"))) return false;
  if (!variable("all_proxy", "ALL_PROXY").empty()) return true;
  return origin->is_secure() ? !variable("https_proxy", "HTTPS_PROXY").empty()
                             : !variable("http_proxy", "HTTP_PROXY").empty();
}

}  // namespace oci
