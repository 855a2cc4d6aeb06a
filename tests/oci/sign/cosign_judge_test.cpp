// cosign as a judge of what we make: it must accept what we accept, and reject the rest.
// Runs where there is a cosign 3: LITHIFY_COSIGN names the program, else PATH is
// searched.
#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/fd.h"
#include "oci/sign/simple_signing.h"
#include "oci/sign/verifier.h"

#include "tests/oci/sign/judge.h"
#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"
#include "tests/support/registry_server.h"

using nlohmann::json;
using oci::Bundle;
using oci::Digest;
using oci::Expectation;
using oci::KeyRule;
using oci::KeyType;
using oci::Statement;
using oci::Subject;
using oci::Verifier;

namespace {

const std::string k_test = std::string(oci::predicate::k_test_result);

oci::PrivateKey& release() {
  return key_of(KeyType::ecdsa_p256);
}

std::string in_base64(const std::vector<std::byte>& bytes) {
  return oci::base64_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}
KeyRule by(const oci::PrivateKey& key) {
  return KeyRule::any_of({{"key", key.public_key()}});
}

Statement signature_of(const Digest& digest) {
  return {{Subject::of(digest)}, std::string(oci::predicate::k_image_signature)};
}

// The bundle over this payload, whatever it is.
std::string bundle(const std::string& payload, oci::Signer& signer,
                   std::string_view type = oci::k_in_toto_type) {
  return Bundle::sign_envelope(type, payload, signer).str();
}

// What an image bundle becomes. We reject all; cosign does but for those that say so.
struct Twin {
  std::string name;
  std::string text;
  bool cosign_accepts = false;
};

std::vector<Twin> twins_of(const Digest& digest) {
  const std::string payload = signature_of(digest).str();
  const std::string good = bundle(payload, release());
  const auto payload_twin = [&](const char* from, const std::string& to) {
    return bundle(replaced(payload, from, to), release());
  };
  json unsigned_payload = json::parse(good);
  unsigned_payload["dsseEnvelope"]["payload"] =
      oci::base64_encode(replaced(payload, digest.hex(), Digest::of("other").hex()));
  json signature = json::parse(good);
  std::string& sig =
      signature["dsseEnvelope"]["signatures"][0]["sig"].get_ref<std::string&>();
  sig[20] = sig[20] == 'A' ? 'B' : 'A';
  return {
      {"another payload under the signature", unsigned_payload.dump()},
      {"a spoilt signature", signature.dump()},
      {"another key", bundle(payload, key_of(KeyType::ecdsa_p384))},
      {"another subject", payload_twin(digest.hex().c_str(), Digest::of("b").hex())},
      {"an upper-case digest", payload_twin(digest.hex().c_str(),
                                            [&] {
                                              std::string hex = digest.hex();
                                              std::transform(hex.begin(), hex.end(),
                                                             hex.begin(), ::toupper);
                                              return hex;
                                            }())},
      {"pitfall 2: a member more in the statement",
       payload_twin("{\"_type\"", "{\"more\":1,\"_type\"")},
      {"pitfall 2: a member more in a subject",
       payload_twin("[{\"digest\"", "[{\"more\":1,\"digest\"")},
      {"pitfall 3: a predicate that is a list",
       payload_twin("\"predicate\":{}", "\"predicate\":[]")},
      {"pitfall 36: a member twice in the statement",
       payload_twin("\"predicate\":{}", "\"predicate\":{},\"predicate\":{}")},
      {"pitfall 36: a member twice in the bundle",
       replaced(good, "{\"dsseEnvelope\"", "{\"mediaType\":\"x\",\"dsseEnvelope\"")},
      {"a member more in the bundle",
       replaced(good, "{\"dsseEnvelope\"", "{\"more\":1,\"dsseEnvelope\"")},
      {"a version of tomorrow", replaced(good, "bundle.v0.3", "bundle.v0.9")},
      {"a version of yesterday",
       replaced(good, "bundle.v0.3+json", "bundle+json;version=0.2")},
      {"pitfall 7: a certificate chain",
       replaced(good,
                "\"publicKey\":{\"hint\":\"" + release().public_key().hint() + "\"}",
                R"("x509CertificateChain":{"certificates":[{"rawBytes":"AAAA"}]})")},
      {"pitfall 8: the signature of a file",
       Bundle::sign_message(oci::as_bytes(payload), release()).str()},
      {"two signatures",
       replaced(good, "\"signatures\":[", "\"signatures\":[{\"sig\":\"AAAA\"},")},
      {"another payload type", bundle(payload, release(), "application/json")},
      {"a bundle cut off", good.substr(0, good.size() - 10)},
      {"pitfall 15: an attestation that says FAILED",
       [&] {
         Statement failed = signature_of(digest);
         failed.predicate_type = k_test;
         failed.predicate = R"({"result":"FAILED"})";
         return bundle(failed.str(), release());
       }(),
       true},
  };
}

}  // namespace

TEST_CASE("cosign uses the keys that we write, and we those that it converts") {
  Judge judge("LITHIFY_COSIGN", "cosign");
  if (!judge.present()) return;
  oci::SystemRng rng;
  const std::string blob = judge.file("blob", "hello");
  for (const KeyType type : k_all_key_types) {
    INFO(oci::key_type_name(type));
    oci::PrivateKey& key = key_of(type);
    const std::string file =
        judge.file("our.key", key.sealed_pem(oci::Secret("hello"), rng));
    REQUIRE(judge.run({"public-key", "--key", file}));
    CHECK(judge.output().find(key.public_key().pem()) != std::string::npos);
  }
  const std::string file =
      judge.file("p256.key", release().sealed_pem(oci::Secret("hello"), rng));
  const std::string out = judge.file("out.json", "");
  REQUIRE(judge.run({"sign-blob", "--key", file, "--use-signing-config=false",
                     "--tlog-upload=false", "--yes", "--bundle", out, blob}));
  CHECK(oci::verify_message(by(release()), oci::as_bytes("hello"),
                            oci::read_file(out, 1 << 20))
            .accepted);
  CHECK_FALSE(judge.run(
      {"public-key", "--key", judge.file("x.key", release().pkcs8_pem().reveal())}));
}

TEST_CASE("pitfall 6: cosign verifies our signatures by every kind of key") {
  Judge judge("LITHIFY_COSIGN", "cosign");
  if (!judge.present()) return;
  const std::string blob = judge.file("blob", "hello");
  Statement statement{{Subject::of(Digest::of("hello"))}, k_test, "{}"};
  statement.subjects[0].name = "blob";
  for (const KeyType type : k_all_key_types) {
    INFO(oci::key_type_name(type));
    oci::PrivateKey& key = key_of(type);
    const std::string pub = judge.file("key.pub", key.public_key().pem());
    const auto verifies = [&](const std::string& command, const std::string& text,
                              const std::string& of) {
      std::vector<std::string> words = {command,    "--key",
                                        pub,        "--insecure-ignore-tlog",
                                        "--bundle", judge.file("b.json", text)};
      if (command != "verify-blob") words.insert(words.end(), {"--type", k_test});
      words.push_back(of);
      const bool accepted = judge.run(words);
      UNSCOPED_INFO(judge.complaint());
      return accepted;
    };
    const std::string attestation = bundle(statement.str(), key);
    CHECK(verifies("verify-blob-attestation", attestation, blob));
    CHECK_FALSE(
        verifies("verify-blob-attestation", attestation, judge.file("other", "hallo")));
    const std::string message = Bundle::sign_message(oci::as_bytes("hello"), key).str();
    CHECK(verifies("verify-blob", message, blob));
    CHECK_FALSE(verifies("verify-blob", message, judge.file("other", "hallo")));
  }
}

TEST_CASE("cosign accepts our image bundle, and rejects the twins that we reject") {
  Judge judge("LITHIFY_COSIGN", "cosign");
  if (!judge.present()) return;
  RegistryServer server;
  const std::string pub = judge.file("key.pub", release().public_key().pem());
  const auto both = [&](JudgedRepository& repository, const std::string& text) {
    repository.attach_bundle(text);
    Verifier verifier(by(release()), {repository.digest()});
    verifier.offer_bundle("b", text);
    const bool ours = std::move(verifier).finish().accepted;
    const bool cosigns = judge.run(
        {"verify", "--key", pub, "--insecure-ignore-tlog", repository.by_digest()});
    return std::pair(ours, cosigns);
  };
  JudgedRepository good(server, "good");
  const auto verdict = both(good, bundle(signature_of(good.digest()).str(), release()));
  INFO(judge.complaint());
  CHECK(verdict == std::pair(true, true));
  int number = 0;
  for (const Twin& twin : twins_of(good.digest())) {
    JudgedRepository repository(server, "twin" + std::to_string(++number));
    INFO(twin.name);
    const auto verdicts = both(repository, twin.text);
    CHECK_FALSE(verdicts.first);
    CHECK(verdicts.second == twin.cosign_accepts);
  }
}

TEST_CASE("pitfall 1: cosign rejects a keyid that we would never write") {
  Judge judge("LITHIFY_COSIGN", "cosign");
  if (!judge.present()) return;
  RegistryServer server;
  JudgedRepository repository(server, "app");
  json document = json::parse(bundle(signature_of(repository.digest()).str(), release()));
  document["dsseEnvelope"]["signatures"][0]["keyid"] = release().public_key().hint();
  repository.attach_bundle(document.dump());
  CHECK_FALSE(
      judge.run({"verify", "--key", judge.file("key.pub", release().public_key().pem()),
                 "--insecure-ignore-tlog", repository.by_digest()}));
}

TEST_CASE(
    "cosign accepts our classic signature by every kind of key, and no twin of it") {
  Judge judge("LITHIFY_COSIGN", "cosign");
  if (!judge.present()) return;
  RegistryServer server;
  int number = 0;
  // cosign's verdict and ours.
  const auto verdict = [&](oci::PrivateKey& key, const std::string& payload,
                           const std::string& signature) {
    JudgedRepository repository(server, "app" + std::to_string(++number));
    repository.attach_classic(payload, signature);
    Verifier verifier(
        by(key), {.manifest = repository.digest(), .annotations = {{"env", "test"}}});
    verifier.offer_classic("c", payload, signature);
    const bool cosigns =
        judge.run({"verify", "--key", judge.file("key.pub", key.public_key().pem()),
                   "--insecure-ignore-tlog", "-a", "env=test", repository.by_digest()});
    return std::pair(std::move(verifier).finish().accepted, cosigns);
  };
  const Digest digest = JudgedRepository(server, "app").digest();
  const oci::SimpleSigning signing{"r.example/app:1.0", digest, {{"env", "test"}}};
  const auto sign = [](oci::PrivateKey& key, const std::string& payload) {
    return in_base64(key.sign(oci::as_bytes(payload)).bytes);
  };
  for (const KeyType type : k_all_key_types) {
    INFO(oci::key_type_name(type));
    oci::PrivateKey& key = key_of(type);
    CHECK(verdict(key, signing.str(), sign(key, signing.str())) == std::pair(true, true));
    const std::string twin = replaced(signing.str(), "app:1.0", "app:1.1");
    CHECK(verdict(key, twin, sign(key, signing.str())) == std::pair(false, false));
  }
  const std::string texts[] = {
      replaced(signing.str(), digest.hex(), Digest::of("other").hex()),
      replaced(signing.str(), "\"env\":\"test\"", "\"env\":\"prod\""),
      signing.str().substr(0, signing.str().size() - 1),
  };
  for (const std::string& text : texts) {
    INFO(text);
    CHECK(verdict(release(), text, sign(release(), text)) == std::pair(false, false));
  }
  // containers/image looks at the type, cosign 3.1 does not.
  const std::string typed =
      replaced(signing.str(), "cosign container", "atomic container");
  const auto typed_verdict = verdict(release(), typed, sign(release(), typed));
  CHECK_FALSE(typed_verdict.first);
}

TEST_CASE("pitfall 5: cosign finds our attestations by their short names") {
  Judge judge("LITHIFY_COSIGN", "cosign");
  if (!judge.present()) return;
  RegistryServer server;
  JudgedRepository repository(server, "app");
  const std::string pub = judge.file("key.pub", release().public_key().pem());
  const auto verifies = [&](const std::string& type) {
    return judge.run({"verify-attestation", "--key", pub, "--insecure-ignore-tlog",
                      "--type", type, repository.by_digest()});
  };
  const std::pair<std::string_view, const char*> types[] = {
      {oci::predicate::k_spdx, "spdxjson"},
      {oci::predicate::k_cyclonedx, "cyclonedx"},
      {oci::predicate::k_openvex, "openvex"},
      {oci::predicate::k_provenance, "slsaprovenance1"}};
  for (const auto& [type, name] : types) {
    INFO(name);
    CHECK_FALSE(verifies(name));
    Statement statement = signature_of(repository.digest());
    statement.predicate_type = type;
    statement.predicate = R"({"name":"ä<>","list":[1,2.5]})";
    repository.attach_bundle(bundle(statement.str(), release()));
    CHECK(verifies(name));
  }
}
