// upload_quirks: what is known of servers, and what their answers say.
#include "oci/registry/upload_quirks.h"

#include "tests/support/catch.h"

using namespace oci;

namespace {

Origin host(const std::string& name) {
  return {"https", name, 443};
}

HttpResponse saying(const std::string& name, const std::string& value) {
  HttpResponse answer;
  answer.headers = {{name, value}};
  return answer;
}

}  // namespace

TEST_CASE("Google's registries take no chunks, names that look alike do") {
  for (const char* name : {"europe-docker.pkg.dev", "gcr.io", "eu.gcr.io"})
    CHECK_FALSE(takes_chunks(host(name)));
  for (const char* name : {"pkg.dev.example", "notgcr.io", "docker.io", "localhost"})
    CHECK(takes_chunks(host(name)));
}

TEST_CASE("some registries are known to lose an upload that broke") {
  for (const char* name :
       {"eu.gcr.io", "ghcr.io", "1.dkr.ecr.eu-central-1.amazonaws.com"})
    CHECK_FALSE(keeps_sessions(host(name)));
  for (const char* name : {"quay.io", "localhost", "amazonaws.com.example"})
    CHECK(keeps_sessions(host(name)));
  CHECK(usual_chunk(host("ghcr.io")) == 4 << 20);
  CHECK(usual_chunk(host("quay.io")) == 16 << 20);
}

TEST_CASE("a Range tells how much has arrived, or nothing that can be used") {
  CHECK(acknowledged(saying("range", "0-99")) == 100U);
  CHECK(acknowledged(saying("range", "bytes=0-99")) == 100U);
  CHECK(acknowledged(saying("range", "0-0")) == 0U);
  CHECK(acknowledged(saying("range", "0-18446744073709551614")) == UINT64_MAX);
  for (const char* text : {"", "0-", "-5", "1-5", "0-5x", "0--1",
                           "0-18446744073709551615", "0-99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(acknowledged(saying("range", text)));
  }
  CHECK_FALSE(acknowledged(HttpResponse{}));
}

TEST_CASE("a least chunk is a number, or there is none") {
  CHECK(least_chunk(saying("oci-chunk-min-length", "5242880")) == 5242880U);
  CHECK(least_chunk(saying("oci-chunk-min-length", "-1")) == 0U);
  CHECK(least_chunk(saying("oci-chunk-min-length", "many")) == 0U);
  CHECK(least_chunk(HttpResponse{}) == 0U);
}
