// pitfalls: what others have run into when signatures are attached, each by its number in
// the list of reports; those of formats and keys stand beside what they are about.
#include <thread>

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/image/layout.h"
#include "oci/image/manifest.h"
#include "oci/sign/attach.h"
#include "oci/sign/simple_signing.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"
#include "tests/support/small_image.h"

using namespace oci;

namespace {

// An index of two platforms in a registry.
struct Pushed : RegistryBench {
  explicit Pushed(RegistryOptions options = {},
                  std::chrono::milliseconds wait = std::chrono::milliseconds(1))
      : RegistryBench(std::move(options)), root(push(wait)) {}

  PrivateKey& key = key_of(KeyType::ecdsa_p256);
  Descriptor root;

  Descriptor push(std::chrono::milliseconds wait) {
    settings.retry.first_wait = wait;
    return put_small_index(client(), "one");
  }

  void sign_all(Signer& by) {
    for (const Descriptor& document : signed_documents(client(), root))
      attach_signature(client(), by, {document, client().name() + ":1"});
  }
  Statement claim(const std::string& type) const {
    Statement statement;
    statement.subjects = {Subject::of(root.digest)};
    statement.predicate_type = type;
    return statement;
  }
  bool accepts(const Descriptor& document, std::vector<NamedKey> keys) {
    Verifier verifier(KeyRule::all_of(std::move(keys)), Expectation{document.digest});
    std::vector<std::string> unread;
    offer_attached(client(), document.digest, verifier, unread);
    return std::move(verifier).finish().accepted;
  }
  Manifest manifest_of(const Descriptor& which) {
    return Manifest::parse(client().manifest(which), "it");
  }
};

}  // namespace

TEST_CASE("pitfall 13: a fallback tag says type and annotations of what it lists") {
  Pushed bench({.referrers = false});
  bench.sign_all(bench.key);
  const auto document = bench.client().manifest_of("sha256-" + bench.root.digest.hex());
  REQUIRE(document);
  const Index index = Index::parse(*document, "it");
  REQUIRE(index.manifests.size() == 1);
  const Descriptor& listed = index.manifests.front();
  CHECK(listed.artifact_type == Bundle::k_media_type);
  CHECK(listed.annotations == bench.manifest_of(listed).annotations);
  CHECK(listed.annotations.at("dev.sigstore.bundle.predicateType") ==
        predicate::k_image_signature);
}

TEST_CASE("pitfall 14: beside a bundle of somebody else stands one that is a signature") {
  Pushed bench;
  PrivateKey stranger = PrivateKey::generate();
  attach_statement(bench.client(), stranger, bench.root,
                   bench.claim(std::string(predicate::k_spdx)));
  bench.sign_all(bench.key);
  // cosign 3 looks at bundles alone once there is any.
  std::vector<std::string> types;
  for (const Descriptor& which : bench.client().referrers(bench.root.digest, ""))
    types.push_back(which.annotations.at("dev.sigstore.bundle.predicateType"));
  std::sort(types.begin(), types.end());
  CHECK(types == std::vector<std::string>{std::string(predicate::k_image_signature),
                                          std::string(predicate::k_spdx)});
}

TEST_CASE("pitfall 18: the index is signed, and the image of each platform") {
  Pushed bench;
  const auto documents = signed_documents(bench.client(), bench.root);
  REQUIRE(documents.size() == 3);
  CHECK(documents.front() == bench.root);
  bench.sign_all(bench.key);
  for (const Descriptor& document : documents)
    CHECK(bench.accepts(document, {{"mine", bench.key.public_key()}}));
}

TEST_CASE("pitfall 19: what is attached changes no digest of the image") {
  Pushed bench;
  bench.client().set_tag("1", bench.root);
  const std::string before = bench.client().manifest(bench.root);
  bench.sign_all(bench.key);
  attach_statement(bench.client(), bench.key, bench.root,
                   bench.claim(std::string(predicate::k_provenance)));
  CHECK(bench.client().resolve("1")->digest == bench.root.digest);
  CHECK(bench.client().manifest_of("1") == before);
}

TEST_CASE("pitfall 21: several who attach at once lose nothing") {
  // As long as a busy machine may need between reading and writing.
  Pushed bench({.referrers = false}, std::chrono::milliseconds(200));
  std::vector<PrivateKey> keys;
  for (int i = 0; i < 4; ++i)
    keys.push_back(PrivateKey::generate());
  {
    std::vector<std::unique_ptr<RegistryClient>> clients;
    for (std::size_t i = 0; i < keys.size(); ++i)
      clients.push_back(bench.open("a/b"));
    std::vector<std::jthread> signers;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      signers.emplace_back([&, i] {
        attach_signature(*clients[i], keys[i], {bench.root, clients[i]->name() + ":1"});
      });
    }
  }
  std::vector<NamedKey> trusted;
  for (std::size_t i = 0; i < keys.size(); ++i)
    trusted.push_back({std::to_string(i), keys[i].public_key()});
  CHECK(bench.accepts(bench.root, trusted));
  // Each is in both forms.
  CHECK(bench.client().referrers(bench.root.digest, "").size() == keys.size());
  const auto classic =
      bench.client().manifest_of("sha256-" + bench.root.digest.hex() + ".sig");
  REQUIRE(classic);
  CHECK(Manifest::parse(*classic, "it").layers.size() == keys.size());
}

TEST_CASE("pitfall 34: nothing that is attached tells the time") {
  Pushed bench;
  bench.sign_all(bench.key);
  for (const Descriptor& which : bench.client().referrers(bench.root.digest, "")) {
    const Manifest manifest = bench.manifest_of(which);
    for (const auto& [name, value] : manifest.annotations)
      CHECK(name.starts_with("dev.sigstore.bundle."));
    const Descriptor& bundle = manifest.layers.front();
    const std::string text =
        read_all(*bench.client().open({bundle.digest, bundle.size}), 100000, "it");
    const auto material = nlohmann::json::parse(text)["verificationMaterial"];
    CHECK(material.size() == 1);
    CHECK(material.contains("publicKey"));
  }
  const auto classic =
      bench.client().manifest_of("sha256-" + bench.root.digest.hex() + ".sig");
  const Manifest manifest = Manifest::parse(classic.value(), "it");
  const std::string config = read_all(
      *bench.client().open({manifest.config.digest, manifest.config.size}), 100000, "it");
  CHECK(nlohmann::json::parse(config)["created"] == "0001-01-01T00:00:00Z");
}
