// digest: names of bytes.
#include "oci/base/digest.h"

#include "tests/support/catch.h"

using oci::Digest;
using oci::Hasher;

TEST_CASE("a digest is the SHA-256 of the bytes") {
  CHECK(Digest::of("").hex() ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Digest::of("abc").str() ==
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("hashing in pieces gives the same digest") {
  Hasher hasher;
  hasher.update("a");
  hasher.update("");
  hasher.update("bc");
  CHECK(std::move(hasher).finish() == Digest::of("abc"));
}

TEST_CASE("a digest is read back from its own text and from nothing else") {
  const Digest digest = Digest::of("abc");
  CHECK(Digest::parse(digest.str()) == digest);
  CHECK(Digest::parse_hex(digest.hex()) == digest);
  std::string upper = digest.str();
  upper[10] = 'A';
  CHECK_FALSE(Digest::parse(upper).has_value());
  CHECK_FALSE(Digest::parse(digest.hex()).has_value());
  CHECK_FALSE(Digest::parse(digest.str() + "0").has_value());
  CHECK_FALSE(Digest::parse("sha512:" + digest.hex()).has_value());
  CHECK_FALSE(Digest::parse("").has_value());
}
