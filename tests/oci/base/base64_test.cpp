// base64, with the vectors of RFC 4648.
#include "oci/base/base64.h"

#include "tests/support/catch.h"

using oci::base64_decode;
using oci::base64_encode;

TEST_CASE("base64 writes and reads the vectors of its RFC") {
  const std::pair<const char*, const char*> k_vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : k_vectors) {
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text) == bytes);
  }
  CHECK(base64_encode("\xff\xfe\xfd") == "//79");
  CHECK(base64_decode("//79") == "\xff\xfe\xfd");
}

TEST_CASE("base64 may come without its padding, but not with a wrong one") {
  CHECK(base64_decode("Zg") == "f");
  for (const char* broken :
       {"Zg=", "Zg===", "Z", "Zm9v=", "Zm 9", "Zm9v\n", "Z-_v", "===="})
    CHECK_FALSE(base64_decode(broken));
}
