// pkcs11: references to keys on tokens, and what is said where there are none. A token is
// used by tests/scenarios/pkcs11_test.py.
#include <fstream>

#include "oci/base/error.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/pkcs11_signer.h"
#include "oci/sign/pkcs11_uri.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace oci;

namespace {

std::string refusal_of(const std::string& text) {
  try {
    Pkcs11Uri::parse(text);
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_input);
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("a reference to a token is taken apart") {
  const auto uri = Pkcs11Uri::parse(
      "pkcs11:token=my%20token;object=key;type=public?pin-value=12%2034&module-path="
      "/usr/lib/m.so");
  CHECK(uri.of_type("private") == "pkcs11:object=key;token=my%20token;type=private");
  CHECK(uri.of_type("public") == "pkcs11:object=key;token=my%20token;type=public");
  CHECK(uri.pin().reveal() == "12 34");
  CHECK(uri.module_path() == "/usr/lib/m.so");
  CHECK_FALSE(Pkcs11Uri::parse("pkcs11:object=key").has_pin());
}

TEST_CASE("a PIN is read from a file") {
  const TemporaryDirectory directory;
  const std::string file = directory.path() / "pin";
  std::ofstream(file) << "1234\n";
  for (const std::string lead : {"", "file:", "file://"}) {
    CHECK(Pkcs11Uri::parse("pkcs11:object=k?pin-source=" + lead + file).pin().reveal() ==
          "1234");
  }
  CHECK_THROWS_AS(Pkcs11Uri::parse("pkcs11:object=k?pin-source=" + file + "x").pin(),
                  Error);
}

TEST_CASE("a reference to a token that could mean two things is refused") {
  for (const char* text :
       {"pkcs11", "pkcs11:", "pkcs11:type=private", "pkcs11:object", "pkcs11:=a",
        "pkcs11:object=a;object=b", "pkcs11:object=a;type=cert", "pkcs11:object=%4",
        "pkcs11:object=%zz", "pkcs11:object=a b", "pkcs11:object=a\nb",
        "pkcs11:object=a?pin-value=1&pin-source=f",
        "pkcs11:object=a?pin-value=1&pin-value=2", "pkcs11:object=a?pin-source=|sh",
        "pkcs11:object=a?pin-source=", "pkcs11:object=a?module-name=m",
        "pkcs11:object=a?module-path=m.so", "pkcs11:object=a?module-path=/a%0aactivate",
        "pkcs11:object=a?module-path=/$HOME"}) {
    INFO(text);
    CHECK(refusal_of(text) != "nothing");
  }
  CHECK(refusal_of("pkcs11:object=" + std::string(5000, 'a')) ==
        "the pkcs11: reference has more than 4096 bytes");
  std::string many = "pkcs11:";
  for (int i = 0; i < 40; ++i)
    many += "a" + std::to_string(i) + "=1;";
  CHECK(refusal_of(many) == "the pkcs11: reference has more than 32 attributes");
}

TEST_CASE("no message has a PIN") {
  const std::string secret = "hunter2";
  for (const std::string& text :
       {"pkcs11:object=k?pin-value=" + secret, "pkcs11:object=%?pin-value=" + secret,
        "pkcs11:?pin-value=" + secret, "pkcs11:object=k?pin-value=" + secret + "%",
        "pkcs11:object=k?" + secret,
        "pkcs11:object=k?pin-source=/x&pin-value=" + secret}) {
    INFO(text);
    CHECK(key_name(text).find(secret) == std::string::npos);
    CHECK(without_pin(text).find(secret) == std::string::npos);
    try {
      load_signer(text, {}, Secret("passphrase"));
    } catch (const Error& error) {
      std::string all = error.what() + error.hint();
      for (const auto& note : error.notes())
        all += note;
      for (const auto& context : error.context())
        all += context;
      CHECK(all.find(secret) == std::string::npos);
    }
  }
}

TEST_CASE("a PIN is asked for only where nobody gave one") {
  CHECK(wants_pin("pkcs11:object=k", {}));
  CHECK_FALSE(wants_pin("pkcs11:object=k?pin-value=1", {}));
  CHECK_FALSE(wants_pin("pkcs11:object=k", {{"COSIGN_PKCS11_PIN", "1"}}));
  CHECK_FALSE(wants_pin("release.key", {}));
}

TEST_CASE("a build file does not choose which code is loaded") {
  CHECK_THROWS_AS(refuse_code("pkcs11:object=k?module-path=/tmp/evil.so"), Error);
  CHECK_NOTHROW(refuse_code("pkcs11:object=k"));
  CHECK_NOTHROW(refuse_code("release.pub"));
}

TEST_CASE("a machine that cannot use tokens says what is missing") {
  try {
    load_signer("pkcs11:object=no-such-key-anywhere", {}, Secret());
    FAIL("a key that nobody has");
  } catch (const Error& error) {
    // Without the provider the package is named; with it the key.
    if (error.code() == Errc::machine) {
      CHECK(error.hint() == "apt install pkcs11-provider");
    } else {
      CHECK(error.code() == Errc::not_found);
      CHECK(std::string(error.what()).find("no-such-key-anywhere") != std::string::npos);
    }
  }
  try {
    load_signer("pkcs11:object=k?module-path=/nowhere/m.so", {}, Secret());
    FAIL("a module that is not there");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "there is no PKCS#11 module /nowhere/m.so");
  }
}
