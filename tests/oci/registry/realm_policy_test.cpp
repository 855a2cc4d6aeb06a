// Which token servers get secrets.
#include "oci/registry/realm_policy.h"

#include "oci/base/error.h"

#include "tests/support/catch.h"

using oci::judge_realm;
using oci::Origin;
using oci::same_registrable_domain;

namespace {

bool gets_secrets(const std::string& registry, const std::string& realm,
                  const std::vector<std::string>& trusted = {}) {
  return judge_realm(realm, *Origin::of(registry), trusted).gets_secrets;
}

}  // namespace

TEST_CASE("the realms of known registries get their secrets") {
  CHECK(gets_secrets("https://registry-1.docker.io", "https://auth.docker.io/token"));
  CHECK(gets_secrets("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"));
  CHECK(gets_secrets("https://ghcr.io", "https://ghcr.io/token"));
  CHECK(gets_secrets("https://quay.io", "https://quay.io/v2/auth"));
  CHECK(gets_secrets("https://me.azurecr.io", "https://me.azurecr.io/oauth2/token"));
  CHECK(gets_secrets("https://eu-docker.pkg.dev", "https://eu-docker.pkg.dev/v2/token"));
  CHECK(gets_secrets("https://eu.gcr.io", "https://gcr.io/v2/token"));
  CHECK(gets_secrets("https://public.ecr.aws", "https://public.ecr.aws/token/"));
}

TEST_CASE("the registrable domain gets secrets, unless strangers live there") {
  CHECK(gets_secrets("https://registry.corp.example", "https://login.corp.example/t"));
  CHECK(gets_secrets("https://registry.corp.example:5000", "https://corp.example/t"));
  CHECK_FALSE(gets_secrets("https://r.corp.example", "https://corp.example.net/t"));
  CHECK_FALSE(gets_secrets("https://me.azurecr.io", "https://you.azurecr.io/t"));
  CHECK_FALSE(gets_secrets("https://a.co.uk", "https://b.co.uk/t"));
  CHECK_FALSE(gets_secrets("https://a.com.br", "https://b.com.br/t"));
  CHECK_FALSE(gets_secrets("https://a.github.io", "https://b.github.io/t"));
  CHECK_FALSE(gets_secrets("https://1.dkr.ecr.us-east-1.amazonaws.com",
                           "https://evil.s3.us-east-1.amazonaws.com/t"));
}

TEST_CASE("addresses and bare names have no domain") {
  CHECK_FALSE(same_registrable_domain("10.0.0.1", "10.1.0.1"));
  CHECK_FALSE(same_registrable_domain("[::1.2]", "[::1.2]"));
  CHECK_FALSE(same_registrable_domain("localhost", "localhost"));
  CHECK_FALSE(same_registrable_domain("a.example.", "b.example."));
  CHECK_FALSE(same_registrable_domain("", ""));
  CHECK(same_registrable_domain("a.b.example", "b.example"));
}

TEST_CASE("names that only look alike get nothing") {
  CHECK_FALSE(gets_secrets("https://docker.io.evil.net", "https://auth.docker.io/t"));
  CHECK_FALSE(gets_secrets("https://evildocker.io", "https://auth.docker.io/t"));
  CHECK_FALSE(gets_secrets("https://quay.io", "https://quay.io.evil.net/t"));
}

TEST_CASE("what the user trusts gets secrets, by host or with the port") {
  const std::string realm = "https://login.other.net:8443/t";
  CHECK_FALSE(gets_secrets("https://r.example", realm));
  CHECK(gets_secrets("https://r.example", realm, {"login.other.net"}));
  CHECK(gets_secrets("https://r.example", realm, {"Login.Other.net:8443"}));
  CHECK_FALSE(gets_secrets("https://r.example", realm, {"login.other.net:443"}));
  CHECK_FALSE(gets_secrets("https://r.example", realm, {"other.net"}));
}

TEST_CASE("http is for registries with http, and then for their own host") {
  CHECK(gets_secrets("http://localhost:5000", "http://localhost:5001/t"));
  CHECK(gets_secrets("http://r.corp.example", "https://login.corp.example/t"));
  CHECK_FALSE(gets_secrets("http://r.corp.example", "http://login.corp.example/t"));
  CHECK_THROWS_AS(gets_secrets("https://r.example", "http://r.example/t"), oci::Error);
  CHECK_THROWS_AS(gets_secrets("https://r.example", "http://x/t", {"x"}), oci::Error);
}

TEST_CASE("a realm without a host belongs to the registry") {
  const oci::Realm realm =
      judge_realm("/token?a=b", *Origin::of("https://r.example:5000"), {});
  CHECK(realm.url == "https://r.example:5000/token?a=b");
  CHECK(realm.gets_secrets);
}
