// http_client: what every client shares.
#include "oci/registry/http_client.h"

namespace oci {

std::string url_for_people(std::string_view url) {
  const std::size_t scheme = url.find("://");
  std::string shown;
  if (scheme != std::string_view::npos) {
    shown = url.substr(0, scheme + 3);
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("?#"));
  const std::string_view authority = url.substr(0, url.find('/'));
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) url.remove_prefix(at + 1);
  return shown.append(url);
}

}  // namespace oci
