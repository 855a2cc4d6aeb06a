// descriptor: platforms by their names.
#include "oci/base/descriptor.h"

#include "tests/support/catch.h"

using oci::Platform;

TEST_CASE("platforms are read and normalised") {
  CHECK(Platform::parse("linux/amd64")->str() == "linux/amd64");
  CHECK(Platform::parse("linux/x86_64")->str() == "linux/amd64");
  CHECK(Platform::parse("linux/arm64/v8")->str() == "linux/arm64");
  CHECK(Platform::parse("linux/aarch64")->str() == "linux/arm64");
  CHECK(Platform::parse("linux/arm")->str() == "linux/arm/v7");
  CHECK(Platform::parse("linux/arm/v6")->str() == "linux/arm/v6");
}

TEST_CASE("what is no platform is none") {
  for (const char* text : {"", "linux", "linux/", "/amd64", "linux/amd64/", "a/b/c/d",
                           "linux/AMD64", "linux/amd64 ", "linux/../etc"}) {
    INFO(text);
    CHECK_FALSE(Platform::parse(text).has_value());
  }
}
