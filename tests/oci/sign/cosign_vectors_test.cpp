// What cosign made (tests/golden/sign/README.md), and its tampered twins.
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/fd.h"
#include "oci/sign/simple_signing.h"
#include "oci/sign/verifier.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"

using oci::Digest;
using oci::Expectation;
using oci::KeyRule;
using oci::PublicKey;
using oci::Verifier;
using oci::VerifyReport;

namespace {

std::string golden(const std::string& name) {
  return oci::read_file(std::string(LITHIFY_SOURCE_DIR) + "/tests/golden/sign/" + name,
                        1 << 20);
}
KeyRule by(const std::string& name) {
  return KeyRule::any_of({{name, PublicKey::parse(golden(name + ".pub"), name)}});
}

const Digest k_image = *Digest::parse(
    "sha256:77d2e6466c024a743598341c400b1e615c09b1eee295bd7cd4955f25aa5d37d8");
const Digest k_blob = Digest::of("hello world");
const std::string k_test = std::string(oci::predicate::k_test_result);

bool accepts(const std::string& bundle, Expectation expected,
             const std::string& key = "p256") {
  Verifier verifier(by(key), std::move(expected));
  verifier.offer_bundle("b", bundle);
  return std::move(verifier).finish().accepted;
}
bool accepts_file(const std::string& bundle, const std::string& file,
                  const std::string& key = "p256") {
  return oci::verify_message(by(key), oci::as_bytes(file), bundle).accepted;
}

// The bundle with its payload and its signature taken from elsewhere, or spoilt.
std::string spoilt(const std::string& text, const std::string& pointer,
                   const std::function<std::string(std::string)>& change) {
  auto document = nlohmann::json::parse(text);
  auto& member = document.at(nlohmann::json::json_pointer(pointer));
  member = oci::base64_encode(change(*oci::base64_decode(member.get<std::string>())));
  return document.dump();
}

std::string flip_last(std::string bytes) {
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  return bytes;
}

}  // namespace

TEST_CASE("cosign's image bundle is accepted, and no twin of it") {
  const std::string text = golden("image.bundle.json");
  CHECK(accepts(text, {k_image}));
  CHECK(accepts(text, {.manifest = k_image, .annotations = {{"env", "test"}}}));
  CHECK_FALSE(accepts(text, {.manifest = k_image, .annotations = {{"env", "prod"}}}));
  CHECK_FALSE(accepts(text, {k_blob}));
  CHECK_FALSE(accepts(text, {k_image, k_test}));
  CHECK_FALSE(accepts(text, {k_image}, "p384"));
  CHECK_FALSE(accepts(text, {k_image}, "rsa"));
  CHECK_FALSE(accepts(text, {k_image}, "ed25519"));
  CHECK_FALSE(
      accepts(spoilt(text, "/dsseEnvelope/signatures/0/sig", flip_last), {k_image}));
  CHECK_FALSE(accepts(spoilt(text, "/dsseEnvelope/payload",
                             [](const std::string& payload) {
                               return replaced(payload, k_image.hex(), k_blob.hex());
                             }),
                      {k_blob}));
  CHECK_FALSE(
      accepts(replaced(text, "{\"mediaType\"", "{\"a\":1,\"mediaType\""), {k_image}));
  CHECK_FALSE(accepts(text.substr(0, text.size() - 1), {k_image}));
}

TEST_CASE("cosign's attestations of a file are read, and compare by their type") {
  const Expectation wanted{k_blob, k_test};
  CHECK(accepts(golden("blob.attestation.bundle.json"), wanted));
  CHECK(accepts(golden("blob.attestation.rsa.bundle.json"), wanted, "rsa"));
  CHECK_FALSE(accepts(golden("blob.attestation.bundle.json"), {k_blob}));
  CHECK_FALSE(accepts(golden("blob.attestation.rsa.bundle.json"), wanted, "p256"));
}

TEST_CASE("cosign's classic signature is accepted, and no twin of it") {
  const std::string payload = golden("classic.payload.json");
  const std::string signature = golden("classic.signature");
  const auto accepted = [&](const std::string& text, Expectation expected) {
    Verifier verifier(by("p256"), std::move(expected));
    verifier.offer_classic("c", text, signature);
    return std::move(verifier).finish().accepted;
  };
  const auto under = [](const std::string& name) {
    return Expectation{.manifest = k_image, .reference = oci::Reference::parse(name)};
  };
  CHECK(accepted(payload, {k_image}));
  CHECK(accepted(payload, under("127.0.0.1:5917/app:1.0")));
  CHECK_FALSE(accepted(payload, under("127.0.0.1:5917/other:1.0")));
  CHECK_FALSE(accepted(payload, under("127.0.0.1:5918/app:1.0")));
  CHECK_FALSE(accepted(payload, {k_blob}));
  CHECK_FALSE(accepted(replaced(payload, "test", "prod"), {k_image}));
  const oci::SimpleSigning ours{"127.0.0.1:5917/app", k_image, {{"env", "test"}}};
  CHECK(ours.str() == payload);
}

TEST_CASE("cosign's attestation envelope is accepted by its type") {
  const auto accepted = [](const std::string& text, Expectation expected) {
    Verifier verifier(by("p256"), std::move(expected));
    verifier.offer_envelope("e", text);
    return std::move(verifier).finish().accepted;
  };
  const std::string text = golden("attestation.envelope.json");
  CHECK(accepted(text, {k_image, k_test}));
  CHECK_FALSE(accepted(text, {k_image}));
  CHECK_FALSE(accepted(text, {k_blob, k_test}));
  CHECK_FALSE(accepted(spoilt(text, "/payload",
                              [](const std::string& payload) {
                                return replaced(payload, "PASSED", "FAILED");
                              }),
                       {k_image, k_test}));
}

TEST_CASE("cosign's signature of a file is accepted over that file alone") {
  const std::string text = golden("blob.bundle.json");
  CHECK(accepts_file(text, "hello world"));
  CHECK_FALSE(accepts_file(text, "hello world\n"));
  CHECK_FALSE(accepts_file(text, "hello world", "rsa"));
  CHECK_FALSE(accepts_file(
      spoilt(text, "/messageSignature/messageDigest/digest", flip_last), "hello world"));
  CHECK_FALSE(accepts_file(spoilt(text, "/messageSignature/signature", flip_last),
                           "hello world"));
}

TEST_CASE("pitfall 6: what cosign signs with SHA-384 or Ed25519ph nobody else verifies") {
  CHECK_FALSE(accepts_file(golden("blob.ed25519.bundle.json"), "hello world", "ed25519"));
  CHECK_FALSE(accepts(golden("blob.attestation.ed25519.bundle.json"), {k_blob, k_test},
                      "ed25519"));
  CHECK_FALSE(
      accepts(golden("blob.attestation.p384.bundle.json"), {k_blob, k_test}, "p384"));
}
