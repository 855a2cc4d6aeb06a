// Bundles: what is written, what each version may have, what is refused.
#include "oci/sign/bundle.h"

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"

using oci::Bundle;
using oci::Error;

namespace {

oci::PrivateKey& key() {
  return key_of(oci::KeyType::ecdsa_p256);
}

std::string made() {
  return Bundle::sign_envelope(oci::k_in_toto_type, "{}", key()).str();
}

// The message of the refusal; empty if there is none.
std::string refusal(const std::string& text) {
  try {
    const Bundle read = Bundle::parse(text, "bundle");
    CHECK(Bundle::parse(read.str(), "printed") == read);
  } catch (const Error& e) {
    CHECK(e.code() == oci::Errc::bad_input);
    return e.what();
  }
  return "";
}

const std::string k_entry =
    R"({"logIndex":"123","logId":{"keyId":"AAAA"},"kindVersion":{"kind":"dsse",)"
    R"("version":"0.0.1"},"integratedTime":"1700000000","inclusionPromise":)"
    R"({"signedEntryTimestamp":"AAAA"},"inclusionProof":{"logIndex":"3","rootHash":"AAAA",)"
    R"("treeSize":"4","hashes":["AAAA","BBBB"],"checkpoint":{"envelope":"note\n"}},)"
    R"("canonicalizedBody":"e30="})";
const std::string k_leaf = R"("certificate":{"rawBytes":"AAAA"})";
const std::string k_chain =
    R"("x509CertificateChain":{"certificates":[{"rawBytes":"AAAA"},{"rawBytes":"BBBB"}]})";

// A bundle with this material in place of the hint.
std::string with(const std::string& material) {
  return replaced(
      made(), R"("publicKey":{"hint":")" + key().public_key().hint() + R"("})", material);
}
std::string as_version(const std::string& text, const std::string& version) {
  return replaced(text, "bundle.v0.3+json", "bundle+json;version=" + version);
}

}  // namespace

TEST_CASE(
    "a bundle that we sign has the hint of the key and one signature without keyid") {
  const auto document = nlohmann::json::parse(made());
  CHECK(document.at("mediaType") == "application/vnd.dev.sigstore.bundle.v0.3+json");
  CHECK(document.at("verificationMaterial") ==
        nlohmann::json({{"publicKey", {{"hint", key().public_key().hint()}}}}));
  CHECK(document.at("dsseEnvelope").at("payload") == "e30=");
  CHECK(document.at("dsseEnvelope").at("payloadType") == "application/vnd.in-toto+json");
  const auto& signatures = document.at("dsseEnvelope").at("signatures");
  REQUIRE(signatures.size() == 1);
  CHECK(signatures[0].size() == 1);
  CHECK(document.size() == 3);
  CHECK(refusal(made()).empty());
}

TEST_CASE("a signature over a file names its digest") {
  const Bundle bundle = Bundle::sign_message(oci::as_bytes("hello"), key());
  CHECK(bundle.envelope() == nullptr);
  CHECK(refusal(bundle.str()).empty());
  const std::pair<const char*, const char*> spoilt[] = {
      {"SHA2_256", "SHA2_384"},
      {"SHA2_256", "MD5"},
      {"\"digest\":\"", "\"digest\":\"AAAA"},
      {"\"messageDigest\":{", "\"messageDigest\":{\"more\":1,"},
      {"\"signature\":\"", "\"signature\":\"\",\"old\":\""},
  };
  for (const auto& [from, to] : spoilt) {
    INFO(to);
    CHECK_FALSE(refusal(replaced(bundle.str(), from, to)).empty());
  }
}

TEST_CASE("certificates, entries of logs and timestamps are kept as values") {
  const Bundle read =
      Bundle::parse(with(k_leaf + R"(,"tlogEntries":[)" + k_entry +
                         R"(],"timestampVerificationData":)" +
                         R"({"rfc3161Timestamps":[{"signedTimestamp":"AAAA"}]})"),
                    "it");
  CHECK(std::get<oci::LeafCertificate>(read.key).der.size() == 3);
  REQUIRE(read.log_entries.size() == 1);
  const oci::LogEntry& entry = read.log_entries.front();
  CHECK(entry.log_index == 123);
  CHECK(entry.kind == "dsse");
  CHECK(entry.integrated_time == 1700000000);
  REQUIRE(entry.proof.has_value());
  CHECK(entry.proof->log_index == 3);  // pitfall 11: not the entry's
  CHECK(entry.proof->tree_size == 4);
  CHECK(entry.proof->hashes.size() == 2);
  CHECK(entry.proof->checkpoint == "note\n");
  CHECK(entry.body == "{}");
  CHECK(read.timestamps.size() == 1);
  CHECK(Bundle::parse(read.str(), "it") == read);
}

TEST_CASE("pitfall 7: v0.3 has a leaf certificate, and only what came before a chain") {
  CHECK(refusal(with(k_leaf)).empty());
  CHECK(refusal(with(k_chain)).find("v0.3 has the leaf certificate alone") !=
        std::string::npos);
  for (const std::string version : {"0.1", "0.2"}) {
    CHECK(refusal(as_version(with(k_chain), version)).empty());
    CHECK_FALSE(refusal(as_version(with(k_leaf), version)).empty());
  }
  CHECK_FALSE(refusal(with(k_leaf + "," + k_chain)).empty());
  CHECK_FALSE(refusal(with(k_leaf + R"(,"publicKey":{"hint":"x"})")).empty());
  CHECK_FALSE(refusal(with(R"("tlogEntries":[])")).empty());
}

TEST_CASE("pitfall 9: what an entry of a log must have depends on the version") {
  const auto entry = [](const std::string& text) {
    return with(k_leaf + R"(,"tlogEntries":[)" + text + "]");
  };
  const std::string promise = R"("inclusionPromise":{"signedEntryTimestamp":"AAAA"},)";
  const std::string checkpoint = R"(,"checkpoint":{"envelope":"note\n"})";
  CHECK(refusal(entry(k_entry)).empty());
  CHECK(refusal(entry(replaced(k_entry, promise, ""))).empty());
  CHECK_FALSE(refusal(entry(replaced(k_entry, checkpoint, ""))).empty());
  const auto before = [&](const std::string& text) {
    return as_version(with(k_chain + R"(,"tlogEntries":[)" + text + "]"), "0.1");
  };
  CHECK(refusal(before(replaced(k_entry, checkpoint, ""))).empty());
  CHECK_FALSE(refusal(before(replaced(k_entry, promise, ""))).empty());
  CHECK(refusal(entry(k_entry + "," + k_entry)).find("a second time") !=
        std::string::npos);
  CHECK_FALSE(refusal(entry(replaced(k_entry, R"("treeSize":"4")", R"("treeSize":"3")")))
                  .empty());
}

TEST_CASE(
    "pitfall 12: 64-bit numbers are text, base64 is standard, no member is unknown") {
  const auto entry = [](const std::string& from, const std::string& to) {
    return with(k_leaf + R"(,"tlogEntries":[)" + replaced(k_entry, from, to) + "]");
  };
  CHECK(refusal(entry("\"123\"", "123")).empty());  // old writers
  CHECK(Bundle::parse(entry("\"123\"", "123"), "it").str().find(R"("logIndex":"123")") !=
        std::string::npos);
  for (const std::string number : {"\"0123\"", "\"+1\"", "\"-1\"", "-1", "1.5", "\"1e3\"",
                                   "\" 1\"", "\"9223372036854775808\"", "true", "\"\""}) {
    INFO(number);
    CHECK_FALSE(refusal(entry("\"123\"", number)).empty());
  }
  CHECK_FALSE(refusal(entry("\"e30=\"", "\"e30\"")).empty());
  CHECK_FALSE(refusal(entry("\"e30=\"", "\"e3-_\"")).empty());
  CHECK_FALSE(refusal(entry("\"e30=\"", "\"e31=\"")).empty());
  const std::pair<const char*, const char*> unknown[] = {
      {"{\"dsseEnvelope\"", "{\"more\":1,\"dsseEnvelope\""},
      {"\"verificationMaterial\":{", "\"verificationMaterial\":{\"more\":1,"},
      {"\"publicKey\":{", "\"publicKey\":{\"more\":1,"},
      {"\"mediaType\"", "\"media_type\""},
      {"\"payload\":\"e30=\"", "\"payload\":\"e30=\",\"Payload\":\"\""},
  };
  for (const auto& [from, to] : unknown) {
    INFO(to);
    CHECK_FALSE(refusal(replaced(made(), from, to)).empty());
  }
}

TEST_CASE("pitfall 36: a member twice in a bundle is refused") {
  CHECK(refusal(replaced(made(), "{\"dsseEnvelope\"",
                         "{\"mediaType\":\"x\",\"dsseEnvelope\"")) ==
        "bundle has the key `mediaType` twice");
  CHECK(refusal(replaced(made(), "\"payload\":", "\"payload\":\"\",\"payload\":")) ==
        "bundle has the key `payload` twice");
}

TEST_CASE("the version of a bundle is one that is known") {
  CHECK(refusal(as_version(made(), "0.3")).empty());
  for (const std::string type :
       {"application/vnd.dev.sigstore.bundle.v0.4+json",
        "application/vnd.dev.sigstore.bundle.v0.3+JSON",
        "application/vnd.dev.sigstore.bundle+json", "application/json", ""}) {
    INFO(type);
    CHECK_FALSE(
        refusal(replaced(made(), std::string(Bundle::k_media_type), type)).empty());
  }
}

TEST_CASE("a bundle has one content, and one signature in it") {
  CHECK_FALSE(refusal(replaced(made(), "{\"dsseEnvelope\"",
                               R"({"messageSignature":{"signature":"AAAA"},)"
                               R"("dsseEnvelope")"))
                  .empty());
  CHECK_FALSE(
      refusal(replaced(made(), "\"signatures\":[", "\"signatures\":[{\"sig\":\"AAAA\"},"))
          .empty());
  auto document = nlohmann::json::parse(made());
  document.erase("dsseEnvelope");
  CHECK_FALSE(refusal(document.dump()).empty());
}

TEST_CASE("a bundle that is cut off at any place is refused") {
  const std::string text = made();
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK_FALSE(refusal(text.substr(0, size)).empty());
}

TEST_CASE("lists in a bundle have bounds") {
  std::string entries, timestamps = R"({"signedTimestamp":"AAAA"})";
  for (int i = 0; i < 33; ++i)
    entries += (i == 0 ? "" : ",") +
               replaced(k_entry, "\"123\"", "\"" + std::to_string(i) + "\"");
  CHECK_FALSE(refusal(with(k_leaf + R"(,"tlogEntries":[)" + entries + "]")).empty());
  for (int i = 0; i < 32; ++i)
    timestamps += R"(,{"signedTimestamp":"AAAA"})";
  CHECK_FALSE(refusal(with(k_leaf + R"(,"timestampVerificationData":)" +
                           R"({"rfc3161Timestamps":[)" + timestamps + "]}"))
                  .empty());
}
