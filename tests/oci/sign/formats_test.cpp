// Payloads, envelopes and statements: the bytes of others, and what nobody may accept.
#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/sign/envelope.h"
#include "oci/sign/simple_signing.h"
#include "oci/sign/statement.h"
#include "oci/sign/strict_base64.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"

using oci::Digest;
using oci::Envelope;
using oci::Errc;
using oci::Error;
using oci::Reference;
using oci::SimpleSigning;
using oci::Statement;
using oci::Subject;

namespace {

const Digest k_digest = Digest::of("a");

// The message of the refusal; empty if there is none.
template <class Read>
std::string refusal(Read read) {
  try {
    read();
  } catch (const Error& e) {
    CHECK(e.code() == Errc::bad_input);
    return e.what();
  }
  return "";
}

std::string payload_refusal(const std::string& text) {
  return refusal([&] { SimpleSigning::parse(text, "payload"); });
}
std::string envelope_refusal(const std::string& text) {
  return refusal([&] { Envelope::parse(text, "envelope"); });
}
std::string statement_refusal(const std::string& text) {
  return refusal([&] { Statement::parse(text, "statement"); });
}

bool is_about(const std::string& signed_name, const std::string& wanted) {
  return SimpleSigning{signed_name, k_digest}.is_about(Reference::parse(wanted));
}

const std::string k_statement =
    R"({"_type":"https://in-toto.io/Statement/v1","predicate":{},)"
    R"("predicateType":"https://sigstore.dev/cosign/sign/v1",)"
    R"("subject":[{"digest":{"sha256":)"
    R"("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}}]})";

}  // namespace

TEST_CASE("the classic payload has the bytes of `cosign generate`") {
  // cosign 3.1.1: cosign generate docker.io/library/x@sha256:… -a 'k=<v>&'
  const std::string cosigns =
      R"({"critical":{"identity":{"docker-reference":"index.docker.io/library/x"},)"
      R"("image":{"docker-manifest-digest":"sha256:ca978112ca1bbdcafac231b39a23dc4da786)"
      R"(eff8147c4e72b9807785afee48bb"},"type":"cosign container image signature"},)"
      R"("optional":{"k":"\u003cv\u003e\u0026"}})";
  const SimpleSigning ours{"index.docker.io/library/x", k_digest, {{"k", "<v>&"}}};
  CHECK(ours.str() == cosigns);
  CHECK(SimpleSigning::parse(cosigns, "it") == ours);
  const SimpleSigning odd{
      "r.example/a:1", k_digest, {{"\xe2\x80\xa8", "\"\\\b\x01\x7f"}}};
  CHECK(SimpleSigning::parse(odd.str(), "it") == odd);
  CHECK(odd.str().find(R"("optional":{"\u2028":)") != std::string::npos);
}

TEST_CASE("pitfall 16: `optional` is there, null without annotations; no other members") {
  const std::string text = SimpleSigning{"r.example/a:1", k_digest}.str();
  CHECK(text.ends_with(R"(,"optional":null})"));
  CHECK(payload_refusal(text).empty());
  CHECK(payload_refusal(replaced(text, R"(,"optional":null)", "")) ==
        "payload: `optional` is missing");
  const std::pair<const char*, const char*> spoilt[] = {
      {"\"optional\":null", "\"optional\":[]"},
      {"\"optional\":null", "\"optional\":{\"timestamp\":\"1\"}"},
      {"\"optional\":null", "\"optional\":{\"timestamp\":1.5}"},
      {"\"optional\":null", "\"optional\":{\"creator\":1}"},
      {"\"optional\":null", "\"optional\":null,\"more\":1"},
      {"\"critical\":{", "\"critical\":{\"more\":1,"},
      {"\"identity\":{", "\"identity\":{\"more\":1,"},
      {"\"image\":{", "\"image\":{\"more\":1,"},
      {"\"critical\":{", "\"Critical\":{"},
      {"cosign container", "atomic container"},
      {"sha256:ca", "sha256:CA"},
      {"sha256:ca", "sha512:ca"},
      {"\"docker-reference\":\"r.example/a:1\"", "\"docker-reference\":1"},
  };
  for (const auto& [from, to] : spoilt) {
    INFO(to);
    CHECK_FALSE(payload_refusal(replaced(text, from, to)).empty());
  }
  for (const std::string fine :
       {"{}", R"({"timestamp":1700000000,"creator":"x","n":1})"}) {
    CHECK(payload_refusal(replaced(text, "null", fine)).empty());
  }
}

TEST_CASE(
    "pitfall 17: a signature is about its repository, and its tag if it names one") {
  CHECK(is_about("r.example/app:1.0", "r.example/app:1.0"));
  CHECK_FALSE(is_about("r.example/app:1.0", "r.example/app:2.0"));
  CHECK_FALSE(is_about("r.example/app:1.0", "r.example/app"));  // latest
  CHECK(is_about("r.example/app", "r.example/app:2.0"));
  CHECK(is_about("r.example/app:1.0", "r.example/app@" + k_digest.str()));
  CHECK_FALSE(is_about("r.example/app:1.0", "r.example/other:1.0"));
  CHECK_FALSE(is_about("r.example/app:1.0", "other.example/app:1.0"));
  CHECK(is_about("r.example:5000/app", "r.example:5000/app:1"));
  CHECK_FALSE(is_about("r.example:5000/app", "r.example:5001/app:1"));
  CHECK(is_about("index.docker.io/library/x", "x:1"));
  CHECK(is_about("docker.io/library/x:1", "index.docker.io/library/x:1"));
  CHECK_FALSE(is_about("", "x:1"));
  CHECK_FALSE(is_about("R.EXAMPLE/APP", "r.example/app:1"));
}

TEST_CASE("the encoding before signing is the one of the specification") {
  CHECK(
      oci::pre_authentication_encoding("http://example.com/HelloWorld", "hello world") ==
      "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  CHECK(oci::pre_authentication_encoding("", "") == "DSSEv1 0  0 ");
  CHECK(oci::pre_authentication_encoding("ä", std::string(10, '\0')) ==
        "DSSEv1 2 ä 10 " + std::string(10, '\0'));
}

TEST_CASE("pitfall 1: an envelope that we sign has no keyid") {
  const Envelope made =
      Envelope::sign(oci::k_in_toto_type, k_statement, key_of(oci::KeyType::ecdsa_p256));
  CHECK(made.str().find("keyid") == std::string::npos);
  CHECK(Envelope::parse(made.str(), "it") == made);
  CHECK(key_of(oci::KeyType::ecdsa_p256)
            .public_key()
            .verifies(oci::as_bytes(made.signed_bytes()),
                      oci::as_bytes(made.signatures[0].bytes)));
}

TEST_CASE("an envelope is read in either alphabet, and strictly") {
  // ">>>???" has both of the characters that differ.
  const std::string text = R"({"payload":"Pj4+Pz8/","payloadType":"t",)"
                           R"("signatures":[{"sig":"AA==","keyid":"k"}]})";
  const Envelope read = Envelope::parse(text, "it");
  CHECK(read.payload == ">>>???");
  CHECK(read.signatures[0].key_id == "k");
  CHECK(Envelope::parse(replaced(text, "Pj4+Pz8/", "Pj4-Pz8_"), "it") == read);
  CHECK(Envelope::parse(replaced(text, "AA==", "AA"), "it") == read);
  const std::pair<const char*, const char*> spoilt[] = {
      {"Pj4+Pz8/", "Pj4-Pz8/"},
      {"AA==", "AB=="},
      {"AA==", "AA="},
      {"AA==", "A"},
      {"AA==", "AA==\\n"},
      {"AA==", ""},
      {"\"sig\":\"AA==\"", "\"sig\":null"},
      {"\"payloadType\":\"t\"", "\"payloadType\":\"\""},
      {"\"payloadType\":\"t\",", ""},
      {"\"payload\":", "\"Payload\":\"\",\"payload\":"},
      {"\"keyid\":\"k\"", "\"cert\":\"k\""},
      {"{\"sig\":\"AA==\",\"keyid\":\"k\"}", ""},
  };
  for (const auto& [from, to] : spoilt) {
    INFO(to);
    CHECK_FALSE(envelope_refusal(replaced(text, from, to)).empty());
  }
  std::string many = "{\"sig\":\"AA==\"}";
  for (int i = 0; i < 32; ++i)
    many += ",{\"sig\":\"AA==\"}";
  CHECK_FALSE(
      envelope_refusal(replaced(text, R"({"sig":"AA==","keyid":"k"})", many)).empty());
}

TEST_CASE("pitfall 36: a name twice is refused in every document") {
  const std::string payload = SimpleSigning{"r.example/a:1", k_digest}.str();
  CHECK(payload_refusal(
            replaced(payload, "\"optional\"", "\"optional\":{},\"optional\"")) ==
        "payload has the key `optional` twice");
  CHECK(statement_refusal(replaced(k_statement, "\"predicate\":{}",
                                   "\"predicate\":{},\"predicate\":{}")) ==
        "statement has the key `predicate` twice");
  CHECK(statement_refusal(replaced(k_statement, "\"predicate\":{}",
                                   "\"predicate\":{\"a\":{\"b\":1,\"\\u0062\":2}}")) ==
        "statement has the key `b` twice");
  CHECK(envelope_refusal(R"({"payload":"","payload":"","payloadType":"t",)"
                         R"("signatures":[{"sig":"AA=="}]})") ==
        "envelope has the key `payload` twice");
}

TEST_CASE(
    "pitfalls 2 and 3: a statement and its subjects have no other members, and its "
    "predicate is an object") {
  CHECK(statement_refusal(k_statement).empty());
  const std::pair<const char*, const char*> spoilt[] = {
      {"{\"_type\"", "{\"more\":1,\"_type\""},
      {"[{\"digest\"", "[{\"more\":1,\"digest\""},
      {"[{\"digest\"", "[{\"media_type\":\"x\",\"digest\""},
      {"\"predicate\":{}", "\"predicate\":[]"},
      {"\"predicate\":{}", "\"predicate\":\"x\""},
      {"\"predicate\":{}", "\"predicate\":{\"n\":123456789012345678901}"},
      {"\"predicate\":{}", "\"predicate\":{\"n\":1e300}"},
      {"Statement/v1", "Statement/v2"},
      {"https://sigstore.dev/cosign/sign/v1", ""},
      {"\"sha256\":", "\"\":"},
      {"\"digest\":{", "\"digest\":[],\"name\":{"},
  };
  for (const auto& [from, to] : spoilt) {
    INFO(to);
    CHECK_FALSE(statement_refusal(replaced(k_statement, from, to)).empty());
  }
  for (const auto& [from, to] : {std::pair{"\"predicate\":{}", "\"predicate\":null"},
                                 std::pair{"Statement/v1", "Statement/v0.1"}}) {
    CHECK(statement_refusal(replaced(k_statement, from, to)).empty());
  }
}

TEST_CASE("pitfall 4: a subject is a manifest's sha256 in lower-case hex") {
  const std::string hex = k_digest.hex();
  CHECK(Statement::parse(k_statement, "it").find_subject(k_digest) != nullptr);
  CHECK(Statement::parse(k_statement, "it").find_subject(Digest::of("b")) == nullptr);
  CHECK_FALSE(statement_refusal(replaced(k_statement, "\"ca97", "\"CA97")).empty());
  CHECK_FALSE(
      statement_refusal(replaced(k_statement, "\"ca97", "\"sha256:ca97")).empty());
  CHECK_FALSE(
      statement_refusal(replaced(k_statement, "{\"sha256\":\"" + hex + "\"}", "{}"))
          .empty());
  const Statement other =
      Statement::parse(replaced(k_statement, "\"sha256\":", "\"gitTree\":"), "it");
  CHECK(other.find_subject(k_digest) == nullptr);
}

TEST_CASE("pitfall 5: the names of predicates have no versions that filters compare") {
  CHECK(oci::predicate::k_spdx == "https://spdx.dev/Document");
  CHECK(oci::predicate::k_cyclonedx == "https://cyclonedx.org/bom");
  CHECK(oci::predicate::k_openvex == "https://openvex.dev/ns");
}

TEST_CASE("a statement is written sorted and compact, and reads back") {
  Statement made{{Subject::of(k_digest)}, std::string(oci::predicate::k_image_signature)};
  CHECK(made.str() == k_statement);
  CHECK(Statement::parse(made.str(), "it") == made);
  made.predicate = "{ \"b\": 1.50, \"a\": [9007199254740993, -1, true, \"ä\"] }";
  made.subjects[0].annotations = {{"k", "v"}};
  made.subjects[0].name = "app";
  const std::string text = made.str();
  CHECK(text.find(R"("predicate":{"a":[9007199254740993,-1,true,"ä"],"b":1.5})") !=
        std::string::npos);
  const Statement again = Statement::parse(text, "it");
  CHECK(again.subjects == made.subjects);
  CHECK(again.str() == text);
}

TEST_CASE("a statement that verifiers would refuse is not written") {
  const auto told = [](const Statement& statement) {
    return refusal([&] { statement.str(); });
  };
  const std::string type = "https://example.com/x";
  CHECK(told({{}, type}) == "the statement: subject: no subject");
  CHECK(told({{Subject{}}, type}).find("digest") != std::string::npos);
  CHECK_FALSE(told({{Subject::of(k_digest)}, ""}).empty());
  CHECK(told({{Subject::of(k_digest)}, type, "[]"}) ==
        "the predicate is no JSON object, which it must be");
  CHECK_FALSE(told({{Subject::of(k_digest)}, type, "{"}).empty());
  CHECK_FALSE(told({{Subject::of(k_digest)}, "\xff"}).empty());
  CHECK_FALSE(told({std::vector<Subject>(1025, Subject::of(k_digest)), type}).empty());
}

TEST_CASE("strict base64 has one spelling of each value") {
  CHECK(oci::strict_base64_decode("") == "");
  CHECK(oci::strict_base64_decode("aGk=") == "hi");
  for (const char* spoilt : {"aGk", "aGl=", "aGk=\n", "aG k=", "aGk==", "=", "a-_="}) {
    INFO(spoilt);
    CHECK_FALSE(oci::strict_base64_decode(spoilt).has_value());
  }
}
