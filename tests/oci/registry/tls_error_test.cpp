// tls_error: what is said of certificates that are not believed.
#include "oci/registry/tls_error.h"

#include "tests/support/catch.h"

namespace oci {

namespace {

HttpRequest request_to(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

}  // namespace

TEST_CASE("an unknown authority is told with the place for its certificate") {
  const Error error =
      not_trusted(request_to("https://r.example:5000/v2/app/manifests/v1?token=x"),
                  "SSL certificate problem: self-signed certificate");
  CHECK(error.code() == Errc::denied);
  CHECK(std::string(error.what()).find("token") == std::string::npos);
  CHECK(error.hint() ==
        "put the authority's certificate into "
        "~/.config/containers/certs.d/r.example:5000/ca.crt, or name it in "
        "SSL_CERT_FILE");
}

TEST_CASE("a certificate for another name is not mended by an authority") {
  const Error error = not_trusted(
      request_to("https://r.example/v2/"),
      "SSL: no alternative certificate subject name matches target host name");
  CHECK(error.hint() == "use a name that the server's certificate is for");
}

TEST_CASE("alerts about our certificate are no broken connection") {
  HttpRequest request = request_to("https://r.example/v2/");
  for (const char* why :
       {"error:0A000412:SSL routines::sslv3 alert bad certificate",
        "error:0A00045C:SSL routines::tlsv13 alert certificate required",
        "error:0A000418:SSL routines::tlsv1 alert unknown ca"}) {
    const auto error = client_certificate_error(request, why);
    REQUIRE(error);
    CHECK(std::string(error->what()) ==
          "https://r.example/v2/ wants a client certificate, and there is none for it");
  }
  request.tls.certificate = "/etc/client.cert";
  const auto refused = client_certificate_error(request, "alert certificate expired");
  REQUIRE(refused);
  CHECK(std::string(refused->what()) ==
        "https://r.example/v2/ does not accept /etc/client.cert");
  CHECK(!client_certificate_error(request, "Connection reset by peer"));
  CHECK(!client_certificate_error(request, "tlsv1 alert internal error"));
}

}  // namespace oci
