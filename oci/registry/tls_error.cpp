#include "oci/registry/tls_error.h"

#include <fmt/format.h>

#include "oci/registry/origin.h"

namespace oci {

namespace {

// certs.d knows servers by their names.
std::string certificates_of(const std::string& url) {
  const auto origin = Origin::of(url);
  std::string host = origin ? origin->str() : "https://HOST";
  host.erase(0, host.find("//") + 2);
  return fmt::format("~/.config/containers/certs.d/{}", host);
}

}  // namespace

Error not_trusted(const HttpRequest& request, const std::string& why) {
  Error error(Errc::denied,
              fmt::format("{} is not trusted: {}", url_for_people(request.url), why));
  if (why.find("subject name") != std::string::npos) {
    return error.add_hint("use a name that the server's certificate is for");
  }
  return error.add_hint(
      fmt::format("put the authority's certificate into {}/ca.crt, or name it in "
                  "SSL_CERT_FILE",
                  certificates_of(request.url)));
}

// TLS 1.3 tells of it when the handshake is over; libcurl sees a broken read then.
std::optional<Error> client_certificate_error(const HttpRequest& request,
                                              const std::string& why) {
  const bool is_alert = why.find("alert") != std::string::npos &&
                        (why.find("certificate") != std::string::npos ||
                         why.find("unknown ca") != std::string::npos);
  if (!is_alert) return std::nullopt;
  const std::string shown = url_for_people(request.url);
  const std::string& ours = request.tls.certificate;
  Error error(Errc::denied,
              ours.empty()
                  ? shown + " wants a client certificate, and there is none for it"
                  : fmt::format("{} does not accept {}", shown, ours));
  return error.add_note(why).add_hint(fmt::format(
      "put client.cert and client.key into {}", certificates_of(request.url)));
}

}  // namespace oci
