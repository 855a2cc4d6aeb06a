// Verifying: what counts, what does not, and what the report says about both.
#include "oci/sign/verifier.h"

#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/sign/simple_signing.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"

using oci::Bundle;
using oci::Digest;
using oci::Envelope;
using oci::Expectation;
using oci::KeyRule;
using oci::NamedKey;
using oci::Reference;
using oci::SimpleSigning;
using oci::Statement;
using oci::Subject;
using oci::Verifier;
using oci::VerifyReport;

namespace {

const Digest k_manifest = Digest::of("manifest");
const Digest k_other = Digest::of("another manifest");

oci::PrivateKey& release() {
  return key_of(oci::KeyType::ecdsa_p256);
}
oci::PrivateKey& audit() {
  return key_of(oci::KeyType::ed25519);
}
oci::PrivateKey& stranger() {
  return key_of(oci::KeyType::ecdsa_p384);
}

NamedKey named(const std::string& name, const oci::PrivateKey& key) {
  return {name, key.public_key()};
}
KeyRule release_only() {
  return KeyRule::any_of({named("release", release())});
}

Statement statement(const Digest& manifest = k_manifest) {
  return {{Subject::of(manifest)}, std::string(oci::predicate::k_image_signature)};
}
std::string bundle(const Statement& of, oci::Signer& signer) {
  return Bundle::sign_envelope(oci::k_in_toto_type, of.str(), signer).str();
}

struct Classic {
  std::string payload, signature;
};
Classic classic(const SimpleSigning& of, oci::Signer& signer) {
  const std::string payload = of.str();
  const oci::Signature made = signer.sign(oci::as_bytes(payload));
  return {payload, oci::base64_encode({reinterpret_cast<const char*>(made.bytes.data()),
                                       made.bytes.size()})};
}

VerifyReport verified(const std::string& text, Expectation expected = {k_manifest},
                      KeyRule rule = release_only()) {
  Verifier verifier(std::move(rule), std::move(expected));
  verifier.offer_bundle("b", text);
  return std::move(verifier).finish();
}
VerifyReport verified(const Classic& it, Expectation expected = {k_manifest},
                      KeyRule rule = release_only()) {
  Verifier verifier(std::move(rule), std::move(expected));
  verifier.offer_classic("c", it.payload, it.signature);
  return std::move(verifier).finish();
}

// "subject: it is not about sha256:…", of the only object; "" if it is accepted.
std::string failure(const VerifyReport& report) {
  REQUIRE(report.objects.size() == 1);
  const oci::ObjectReport& object = report.objects.front();
  CHECK(object.accepted() == report.accepted);
  if (object.accepted()) return "";
  const oci::VerifyCheck& last = object.checks.back();
  CHECK_FALSE(last.passed);
  return last.name + ": " + last.evidence;
}

std::string changed_payload(const std::string& text, const std::string& from,
                            const std::string& to) {
  auto document = nlohmann::json::parse(text);
  auto& payload = document["dsseEnvelope"]["payload"];
  payload = oci::base64_encode(
      replaced(*oci::base64_decode(payload.get<std::string>()), from, to));
  return document.dump();
}

}  // namespace

TEST_CASE("a bundle by a trusted key about this manifest is accepted") {
  const VerifyReport report = verified(bundle(statement(), release()));
  CHECK(report.accepted);
  CHECK(report.objects.front().keys == std::vector<std::string>{"release"});
  std::string names;
  for (const oci::VerifyCheck& check : report.objects.front().checks)
    names += check.name + ";";
  CHECK(names ==
        "form;version;key material;content;payload type;signature;form;subject;"
        "predicate type;");
  const auto json = nlohmann::json::parse(report.json());
  CHECK(json["accepted"] == true);
  CHECK(json["objects"][0]["checks"].size() == 9);
  CHECK(json["rule"][0]["check"] == "key release");
}

TEST_CASE("a bundle's tampered twins are rejected, each for its reason") {
  const std::string good = bundle(statement(), release());
  REQUIRE(verified(good).accepted);
  CHECK(failure(verified(changed_payload(good, k_manifest.hex(), k_other.hex()),
                         {k_other})) == "signature: none of the trusted keys made it");
  CHECK(failure(verified(changed_payload(good, "sign/v1", "sign/v2"))) ==
        "signature: none of the trusted keys made it");
  CHECK(failure(verified(good, {k_other})) ==
        "subject: it is not about " + k_other.str());
  CHECK(failure(verified(bundle(statement(), stranger()))) ==
        "signature: none of the trusted keys made it");
  CHECK(failure(verified(replaced(good, "bundle.v0.3", "bundle.v0.4")))
            .starts_with("form: bundle: mediaType: a bundle of v0.1, v0.2 or v0.3"));
  CHECK(failure(verified(replaced(good, "bundle.v0.3+json", "bundle+json;version=0.2")))
            .starts_with("version: older than v0.3"));
  CHECK(failure(verified(good.substr(0, good.size() - 20))).starts_with("form: "));
  CHECK(failure(verified(replaced(good, "vnd.in-toto+json", "vnd.in-toto"))) ==
        "payload type: application/vnd.in-toto");
  // The type is part of what is signed.
  const std::string typed =
      Bundle::sign_envelope("application/json", statement().str(), release()).str();
  CHECK(failure(verified(replaced(typed, "\"application/json\"",
                                  "\"application/vnd.in-toto+json\""))) ==
        "signature: none of the trusted keys made it");
}

TEST_CASE("pitfall 8: the signature of a file is none of an image") {
  const std::string text =
      Bundle::sign_message(oci::as_bytes(statement().str()), release()).str();
  CHECK(failure(verified(text)) == "content: the signature of a file, not of an image");
}

TEST_CASE("pitfall 15: an attestation by the release key is no signature") {
  Statement failed = statement();
  failed.predicate_type = oci::predicate::k_test_result;
  failed.predicate = R"({"result":"FAILED"})";
  const std::string text = bundle(failed, release());
  CHECK(failure(verified(text)) ==
        "predicate type: https://in-toto.io/attestation/test-result/v0.1, not "
        "https://sigstore.dev/cosign/sign/v1");
  CHECK(verified(text, {k_manifest, failed.predicate_type}).accepted);
  // And a signature is no attestation, in either form.
  const Expectation wanted{k_manifest, failed.predicate_type};
  CHECK_FALSE(verified(bundle(statement(), release()), wanted).accepted);
  CHECK_FALSE(
      verified(classic({"r.example/a:1", k_manifest}, release()), wanted).accepted);
}

TEST_CASE("a classic signature is accepted, its tampered twins are not") {
  const Classic good = classic({"r.example/a:1", k_manifest, {{"env", "x"}}}, release());
  const Expectation named{.manifest = k_manifest,
                          .reference = Reference::parse("r.example/a:1")};
  CHECK(failure(verified(good, named)).empty());
  CHECK(failure(verified(good)).empty());
  CHECK(failure(verified({replaced(good.payload, "a:1", "b:1"), good.signature})) ==
        "signature: none of the trusted keys made it");
  CHECK(failure(verified({good.payload + "\n", good.signature})) ==
        "signature: none of the trusted keys made it");
  CHECK(failure(verified({good.payload, good.signature + "\n"})) ==
        "signature: it is not base64");
  CHECK(failure(verified({good.payload, ""})) ==
        "signature: none of the trusted keys made it");
  CHECK(failure(verified(good, {k_other})) == "subject: it is about " + k_manifest.str());
  CHECK(failure(verified(good, {.manifest = k_manifest,
                                .reference = Reference::parse("r.example/b:1")})) ==
        "reference: it says r.example/a:1");
  CHECK(failure(verified(good, {.manifest = k_manifest,
                                .reference = Reference::parse("r.example/a:2")})) ==
        "reference: it says r.example/a:1");
  CHECK(failure(verified(classic({"r.example/a:1", k_manifest}, stranger()))) ==
        "signature: none of the trusted keys made it");
}

TEST_CASE("pitfall 35: the stored bytes are verified, not what we would write") {
  const SimpleSigning signing{"r.example/a:1", k_manifest, {{"k", "<"}}};
  const std::string spaced =
      nlohmann::json::parse(signing.str()).dump(2);  // and without \u003c
  const oci::Signature made = release().sign(oci::as_bytes(spaced));
  const std::string text = oci::base64_encode(
      {reinterpret_cast<const char*>(made.bytes.data()), made.bytes.size()});
  CHECK(failure(verified({spaced, text})).empty());
  CHECK_FALSE(failure(verified({signing.str(), text})).empty());
}

TEST_CASE("pitfall 37: annotations compare as text, and only those that are asked for") {
  Statement with = statement();
  with.subjects[0].annotations = {{"env", "test"}, {"n", "1"}};
  const std::string text = bundle(with, release());
  const Classic it =
      classic({"r.example/a:1", k_manifest, {{"env", "test"}, {"n", "1"}}}, release());
  const auto asked = [](std::map<std::string, std::string> annotations) {
    return Expectation{.manifest = k_manifest, .annotations = std::move(annotations)};
  };
  CHECK(failure(verified(text, asked({{"env", "test"}}))).empty());
  CHECK(failure(verified(it, asked({{"n", "1"}}))).empty());
  CHECK(failure(verified(text, asked({{"env", "prod"}}))) ==
        "annotations: env is test, prod is wanted");
  CHECK(failure(verified(it, asked({{"env", "prod"}}))) ==
        "annotations: env is test, prod is wanted");
  CHECK(failure(verified(text, asked({{"who", ""}}))) == "annotations: who is not there");
  CHECK(failure(verified(bundle(statement(), release()), asked({{"env", "test"}}))) ==
        "annotations: env is not there");
}

TEST_CASE("the annotations of another subject do not count") {
  Statement two = statement();
  two.subjects.push_back(Subject::of(k_other));
  two.subjects[1].annotations = {{"env", "prod"}};
  const std::string text = bundle(two, release());
  CHECK(verified(text).accepted);
  CHECK(verified(text, {k_other}).accepted);
  CHECK_FALSE(verified(text, {.manifest = k_manifest, .annotations = {{"env", "prod"}}})
                  .accepted);
}

TEST_CASE("all keys of a rule must have signed, each something that is accepted") {
  const auto offered = [](KeyRule rule, const std::vector<std::string>& bundles) {
    Verifier verifier(std::move(rule), {k_manifest});
    for (std::size_t i = 0; i < bundles.size(); ++i)
      verifier.offer_bundle("b" + std::to_string(i), bundles[i]);
    return std::move(verifier).finish();
  };
  const std::vector<NamedKey> keys = {named("release", release()),
                                      named("audit", audit())};
  const std::string first = bundle(statement(), release());
  const std::string second = bundle(statement(), audit());
  const std::string elsewhere = bundle(statement(k_other), audit());
  CHECK(offered(KeyRule::all_of(keys), {first, second}).accepted);
  CHECK(offered(KeyRule::any_of(keys), {elsewhere, first}).accepted);
  CHECK_FALSE(offered(KeyRule::all_of(keys), {first, first}).accepted);
  const VerifyReport report = offered(KeyRule::all_of(keys), {first, elsewhere});
  CHECK_FALSE(report.accepted);
  CHECK(report.rule.back().name == "all keys");
  CHECK(report.rule.back().evidence == "1 of 2 needed keys signed, not audit");
  const oci::Error error = report.rejection();
  CHECK(error.code() == oci::Errc::untrusted);
  CHECK(std::string(error.what()) == "1 of 2 needed keys signed, not audit");
  REQUIRE(error.notes().size() == 1);
  CHECK(error.notes()[0] == "b1 (bundle): subject: it is not about " + k_manifest.str());
}

TEST_CASE("pitfall 38: without keys or without signatures nothing is accepted") {
  CHECK_THROWS_WITH(Verifier(KeyRule::any_of({}), {k_manifest}),
                    "no key to verify with: nobody would be trusted");
  CHECK_THROWS_WITH(Verifier(KeyRule::all_of({}), {k_manifest}),
                    "no key to verify with: nobody would be trusted");
  CHECK_THROWS_WITH(Verifier({{named("a", release())}, 2}, {k_manifest}),
                    "2 keys are to have signed, of 1");
  CHECK_THROWS_WITH(Verifier({{named("a", release())}, 0}, {k_manifest}),
                    "0 keys are to have signed, of 1");
  CHECK_THROWS_WITH(
      Verifier(KeyRule::all_of({named("a", release()), named("b", release())}),
               {k_manifest}),
      "a and b are one key, which would count twice");
  const VerifyReport report = Verifier(release_only(), {k_manifest}).finish();
  CHECK_FALSE(report.accepted);
  CHECK(report.rule.back().evidence == "no signature was found");
  CHECK(std::string(report.rejection().what()) == "no signature was found");
}

TEST_CASE("a certificate is no trusted key") {
  auto document = nlohmann::json::parse(bundle(statement(), release()));
  document["verificationMaterial"] = {{"certificate", {{"rawBytes", "AAAA"}}}};
  CHECK(failure(verified(document.dump())) ==
        "key material: a certificate, of which no authority is trusted");
}

TEST_CASE("pitfall 1: a foreign keyid neither helps nor harms") {
  auto document = nlohmann::json::parse(bundle(statement(), release()));
  document["dsseEnvelope"]["signatures"][0]["keyid"] = stranger().public_key().hint();
  CHECK(verified(document.dump()).accepted);
  CHECK_FALSE(verified(document.dump(), {k_manifest},
                       KeyRule::any_of({named("stranger", stranger())}))
                  .accepted);
}

TEST_CASE("an envelope of an .att manifest counts by any of its signatures") {
  Statement of = statement();
  of.predicate_type = oci::predicate::k_spdx;
  Envelope envelope = Envelope::sign(oci::k_in_toto_type, of.str(), stranger());
  const auto offered = [&] {
    Verifier verifier(release_only(), {k_manifest, of.predicate_type});
    verifier.offer_envelope("att", envelope.str());
    return std::move(verifier).finish();
  };
  CHECK(failure(offered()) == "signature: none of the trusted keys made it");
  envelope.signatures.push_back(
      Envelope::sign(oci::k_in_toto_type, of.str(), release()).signatures[0]);
  CHECK(failure(offered()).empty());
}

TEST_CASE("algorithm confusion: no key verifies a signature of another kind of key") {
  for (const oci::KeyType one : k_all_key_types) {
    for (const oci::KeyType other : k_all_key_types) {
      const bool accepted = verified(bundle(statement(), key_of(one)), {k_manifest},
                                     KeyRule::any_of({named("k", key_of(other))}))
                                .accepted;
      CHECK(accepted == (one == other));
    }
  }
}

TEST_CASE("a report repeats what strangers wrote in one harmless line") {
  Statement odd = statement();
  odd.predicate_type = "evil\x1b[2J\nline\xe2\x80\xae";
  const VerifyReport report = verified(bundle(odd, release()));
  CHECK(report.json().find('\x1b') == std::string::npos);
  CHECK(failure(report).find_first_of("\x1b\n") == std::string::npos);
  Verifier verifier(KeyRule::any_of({{"\xff\n", release().public_key()}}), {k_manifest});
  verifier.offer_bundle("\xff", bundle(statement(), release()));
  CHECK(nlohmann::json::parse(std::move(verifier).finish().json())["accepted"] == true);
}

TEST_CASE("a file's bundle is verified over its bytes") {
  const std::string text = Bundle::sign_message(oci::as_bytes("hello"), release()).str();
  CHECK(oci::verify_message(release_only(), oci::as_bytes("hello"), text).accepted);
  CHECK_FALSE(oci::verify_message(release_only(), oci::as_bytes("hallo"), text).accepted);
  CHECK_FALSE(oci::verify_message(KeyRule::any_of({named("x", stranger())}),
                                  oci::as_bytes("hello"), text)
                  .accepted);
  CHECK_FALSE(oci::verify_message(release_only(), oci::as_bytes("hello"),
                                  bundle(statement(), release()))
                  .accepted);
}

TEST_CASE("an attestation larger than any manifest is verified, a larger one refused") {
  Statement large = statement();
  large.predicate_type = oci::predicate::k_spdx;
  large.predicate = "{\"text\":\"" + std::string(9 << 20, 'x') + "\"}";
  CHECK(verified(bundle(large, release()), {k_manifest, large.predicate_type}).accepted);
  CHECK(failure(verified(std::string(Bundle::k_max_size + 1, ' ')))
            .starts_with("form: bundle has 33554433 bytes, more than the 33554432"));
  large.predicate = "{\"text\":\"" + std::string(Statement::k_max_size - 20, 'x') + "\"}";
  CHECK_THROWS_AS(large.str(), oci::Error);
}
