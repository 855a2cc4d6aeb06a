// origin: what one server is, and where a Location leads.
#include "oci/registry/origin.h"

#include "tests/support/catch.h"

using namespace oci;

TEST_CASE("an origin is scheme, host and port") {
  struct Case {
    const char* url;
    const char* origin;
  };
  const Case one =
      GENERATE(values<Case>({{"https://ghcr.io/v2/", "https://ghcr.io"},
                             {"HTTPS://GHCR.IO:443/v2/", "https://ghcr.io"},
                             {"https://ghcr.io:/v2/", "https://ghcr.io"},
                             {"https://ghcr.io:8443", "https://ghcr.io:8443"},
                             {"http://localhost:5000/v2/", "http://localhost:5000"},
                             {"http://a:80?x", "http://a"},
                             {"http://a:443/", "http://a:443"},
                             {"https://a:80/", "https://a:80"},
                             {"http://[::1]:5000/", "http://[::1]:5000"},
                             {"http://[FE80::1]/", "http://[fe80::1]"},
                             {"http://a#https://b/", "http://a"},
                             {"http://a?@b/", "http://a"},
                             {"http://a.b./", "http://a.b."}}));
  CAPTURE(one.url);
  const auto origin = Origin::of(one.url);
  REQUIRE(origin);
  CHECK(origin->str() == one.origin);
}

TEST_CASE("what is no http URL with a host, or has a login in it, has no origin") {
  const char* url = GENERATE(
      "", "a", "//a/", "ftp://a/", "file:///etc/passwd", "http://", "https:///v2",
      "http:///a", "http:/a/", "://a/", "http://me@a/", "http://me:pw@a:1/",
      "http://a@b@c/", "http://a:0/", "http://a:65536/", "http://a:1x/", "http://a:-1/",
      "http://a b/", "http://a\n/", "http://:80/", "javascript:x");
  CAPTURE(url);
  CHECK_FALSE(Origin::of(url));
}

TEST_CASE("origins differ in each of their parts") {
  const auto origin = Origin::of("http://127.0.0.1:5000/");
  CHECK(origin == Origin::of("http://127.0.0.1:5000/other?path"));
  for (const char* other : {"https://127.0.0.1:5000/", "http://127.0.0.1:5001/",
                            "http://localhost:5000/", "http://127.0.0.1/",
                            "http://127.0.0.1.example:5000/", "http://127.0.0.2:5000/"}) {
    CHECK(origin != Origin::of(other));
  }
}

TEST_CASE("loopback is what always means this machine") {
  for (const char* url :
       {"http://localhost/", "http://LOCALHOST:1/", "http://a.localhost/",
        "http://127.0.0.1/", "http://127.9.9.9/", "http://[::1]/"}) {
    CHECK(Origin::of(url)->is_loopback());
  }
  for (const char* url : {"http://localhost.example/", "http://notlocalhost/",
                          "http://127.0.0.1.example/", "http://127.example/",
                          "http://128.0.0.1/", "http://[::2]/", "http://10.0.0.1/"}) {
    CHECK_FALSE(Origin::of(url)->is_loopback());
  }
}

TEST_CASE("a Location is a URL, or a part of one") {
  struct Case {
    const char* location;
    const char* url;
  };
  const Case one = GENERATE(
      values<Case>({{"/v2/x", "http://a:1/v2/x"},
                    {"/v2/x?_state=a%3D/b~&c=", "http://a:1/v2/x?_state=a%3D/b~&c="},
                    {"/a/../b/./c", "http://a:1/a/../b/./c"},  // as it was written
                    {"next", "http://a:1/v2/next"},
                    {"./next?x=../y", "http://a:1/v2/next?x=../y"},
                    {"../next", "http://a:1/next"},
                    {"../../../next", "http://a:1/next"},
                    {"next/..", "http://a:1/v2/"},
                    {"?page=2", "http://a:1/v2/up?page=2"},
                    {"", "http://a:1/v2/up?q=1"},
                    {"#here", "http://a:1/v2/up?q=1"},
                    {"/x#here", "http://a:1/x"},
                    {"//b/x", "http://b/x"},
                    {"https://b/x?y", "https://b/x?y"},
                    {"HTTP://b/", "HTTP://b/"}}));
  CAPTURE(one.location);
  CHECK(resolve_url("http://a:1/v2/up?q=1", one.location) == std::string(one.url));
}

TEST_CASE("a Location that is no URL leads nowhere") {
  for (const char* location : {"file:///etc/passwd", "ftp://b/", "javascript:alert(1)",
                               "http://me:pw@b/", "/a b", "/a\r\nX: y", "http://b:x/"}) {
    CAPTURE(location);
    CHECK_FALSE(resolve_url("http://a/v2/", location));
  }
  CHECK_FALSE(resolve_url("nowhere", "/x"));
  // A URL, but not one with an origin: nobody goes there either.
  CHECK_FALSE(Origin::of(resolve_url("http://a/", "//me:pw@b/").value()));
  CHECK(resolve_url("http://a", "x") == "http://a/x");
}

TEST_CASE("a query is added behind what is there, which stays as it is") {
  CHECK(with_query("http://a/x", "digest", "sha256:0f") ==
        "http://a/x?digest=sha256%3A0f");
  CHECK(with_query("http://a/x?s=%3D/~", "n", "a b&c") ==
        "http://a/x?s=%3D/~&n=a%20b%26c");
  CHECK(with_query("http://a/x?", "n", "1") == "http://a/x?&n=1");
  CHECK(url_encode("aZ09-._~") == "aZ09-._~");
  CHECK(url_encode("/:@ä") == "%2F%3A%40%C3%A4");
}
