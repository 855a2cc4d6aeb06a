// Keys that a program keeps: what it is told, and what is believed of its answers.
#include "oci/sign/plugin_signer.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/sign/key_reference.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;
using oci::as_bytes;
using oci::Errc;
using oci::Error;
using oci::PluginReference;
using oci::PluginSigner;

namespace {

// The program sigstore-kms-test, which answers with the files `publicKey` and
// `signMessage`, and keeps what it was told. One at a time: PATH is the whole process's.
class Plugin {
 public:
  Plugin() : path_(std::getenv("PATH")) {
    ::setenv("PATH", (directory_.path().string() + ":" + path_).c_str(), 1);
    const std::string dir = directory_.path().string();
    const fs::path program = directory_.path() / "sigstore-kms-test";
    oci::write_file_atomically(
        program,
        "#!/bin/sh\ncd '" + dir +
            "'\nprintf %s \"$1\" > version\nprintf %s \"$2\" > told\n"
            "cat > input\ncase \"$2\" in *'\"methodName\":\"signMe"
            "ssage\"'*) cat signMessage;; *) cat publicKey;; esac\n"
            "exit 3\n",
        0700);
    answer("publicKey",
           {{"publicKey",
             {{"publicKeyPEM", oci::base64_encode(key().public_key().pem())}}}});
  }
  ~Plugin() { ::setenv("PATH", path_.c_str(), 1); }

  static oci::PrivateKey& key() { return key_of(oci::KeyType::ecdsa_p256); }

  void answer(const std::string& method, const nlohmann::json& document) {
    oci::write_file_atomically(directory_.path() / method, document.dump());
  }
  void answer_signature(const std::string& payload) {
    const auto bytes = key().sign(as_bytes(payload)).bytes;
    answer(
        "signMessage",
        {{"signMessage",
          {{"signature", oci::base64_encode({reinterpret_cast<const char*>(bytes.data()),
                                             bytes.size()})}}}});
  }
  std::string file(const std::string& name) const {
    return oci::read_file(directory_.path() / name, 1 << 20);
  }

 private:
  TemporaryDirectory directory_;
  std::string path_;
};

Errc failure(const std::string& reference) {
  try {
    oci::read_public_key(reference, {});
  } catch (const Error& e) {
    return e.code();
  }
  return Errc::internal;
}

}  // namespace

TEST_CASE("a program is told the version, the key and the method, as cosign tells it") {
  Plugin plugin;
  plugin.answer_signature("payload");
  const auto signer = oci::load_signer("test://my/key?v=1", {}, oci::Secret());
  CHECK(signer->public_key() == Plugin::key().public_key());
  CHECK(plugin.file("version") == "v1");
  CHECK(plugin.file("told") ==
        R"({"initOptions":{"hashFunc":5,"keyResourceID":"my/key?v=1","protocolVersion":)"
        R"("v1","rpcOptions":{}},"methodName":"publicKey","publicKey":{)"
        R"("publicKeyOptions":{"rpcOptions":{}}}})");
  const oci::Signature made = signer->sign(as_bytes("payload"));
  CHECK(plugin.file("input") == "payload");
  CHECK(plugin.file("told").ends_with(
      R"("methodName":"signMessage","signMessage":{"signOptions":{"messageOptions":{},)"
      R"("rpcOptions":{}}}})"));
  CHECK(signer->public_key().verifies(as_bytes("payload"), made.bytes));
  CHECK(made.key_hint == signer->public_key().hint());
  CHECK(oci::read_public_key("test://x", {}) == signer->public_key());
}

TEST_CASE("a signature that a program gives for something else goes nowhere") {
  Plugin plugin;
  PluginSigner signer({"test", "x"});
  plugin.answer_signature("another payload");
  CHECK_THROWS_WITH(signer.sign(as_bytes("payload")),
                    "the signature of sigstore-kms-test does not verify by its own key");
}

TEST_CASE(
    "a program that refuses, talks nonsense or is not there is told from each other") {
  Plugin plugin;
  CHECK(failure("absent://x") == Errc::not_found);
  plugin.answer("publicKey", {{"errorMessage", "no\nlogin"}});
  CHECK_THROWS_WITH(PluginSigner({"test", "x"}),
                    "sigstore-kms-test refuses publicKey: no?login");
  CHECK(failure("test://x") == Errc::denied);
  for (const nlohmann::json& nonsense :
       std::vector<nlohmann::json>{{{"publicKey", {{"publicKeyPEM", "!"}}}},
                                   {{"publicKey", {{"publicKeyPEM", "AAAA"}}}},
                                   {{"publicKey", nullptr}},
                                   nlohmann::json::object(),
                                   nlohmann::json::array(),
                                   "text"}) {
    plugin.answer("publicKey", nonsense);
    CHECK(failure("test://x") == Errc::bad_input);
  }
}

TEST_CASE("the name of a program is a name and no path") {
  CHECK(PluginReference::parse("my-hsm://a/b?c") == PluginReference{"my-hsm", "a/b?c"});
  CHECK(PluginReference::parse("awskms:///alias/x") ==
        PluginReference{"awskms", "/alias/x"});
  for (const std::string text :
       {"../x://y", "a/b://y", "://y", "a b://y", "x:y", "file"}) {
    INFO(text);
    CHECK_FALSE(PluginReference::parse(text).has_value());
  }
  CHECK_FALSE(PluginReference::parse(std::string(65, 'a') + "://x").has_value());
  CHECK(failure("../x://y") == Errc::bad_input);
}
