// layout_attach: signatures in an image layout, and taken from one place to another.
#include <filesystem>
#include <fstream>
#include <thread>

#include "oci/base/error.h"
#include "oci/image/layout.h"
#include "oci/image/layout_index.h"
#include "oci/image/manifest_graph.h"
#include "oci/sign/attach.h"
#include "oci/sign/copy_attached.h"
#include "oci/sign/requirement.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"
#include "tests/support/small_image.h"
#include "tests/support/temporary_directory.h"

using namespace oci;

namespace {

const std::string k_name = "registry.example/shop/web:1";

struct SignedLayout {
  TemporaryDirectory directory;
  std::filesystem::path path = directory.path() / "layout";
  std::unique_ptr<ReferringRepository> layout = create_layout(path);
  Descriptor root = put_small_index(*layout, "one");
  PrivateKey& key = key_of(KeyType::ecdsa_p256);

  SignedLayout() { layout->set_tag("web", root); }
  void sign(Signer& by, const std::string& name = k_name) {
    for (const Descriptor& document : signed_documents(*layout, root))
      attach_signature(*layout, by, {document, name});
  }
};

PolicyReport verify(const ReferringRepository& at, const Digest& manifest,
                    std::vector<NamedKey> keys, Requirement requirement = {}) {
  requirement.rule = KeyRule::all_of(std::move(keys));
  return verify_attached(at, manifest, {std::move(requirement)});
}

std::string index_of(const std::filesystem::path& layout) {
  return read_file(layout / "index.json", 1 << 24);
}

}  // namespace

TEST_CASE("an image of a layout is signed in both forms, and once") {
  SignedLayout bench;
  bench.sign(bench.key);
  const std::string before = index_of(bench.path);
  bench.sign(bench.key);
  CHECK(index_of(bench.path) == before);

  const auto again = open_layout(bench.path);
  for (const Descriptor& document : signed_documents(*again, bench.root)) {
    const PolicyReport report =
        verify(*again, document.digest, {{"mine", bench.key.public_key()}});
    CHECK(report.accepted);
    CHECK(report.requirements.front().report.objects.size() == 2);
    CHECK(report.unread.empty());
  }
}

TEST_CASE("what belongs to the only image of a layout does not hide it") {
  SignedLayout bench;
  bench.sign(bench.key);
  const auto layout = open_layout(bench.path);
  CHECK(layout->resolve("") == bench.root);
  CHECK(layout->resolve("web") == bench.root);
  CHECK(layout->referrers(bench.root.digest, "").size() == 1);
  CHECK(layout->referrers(bench.root.digest, Bundle::k_media_type).size() == 1);
  CHECK(layout->referrers(bench.root.digest, "application/other").empty());
  CHECK(layout->referrers(Digest::of("another"), "").empty());
}

TEST_CASE("an image without a name yet is signed by the bundle alone") {
  SignedLayout bench;
  bench.sign(bench.key, "");
  const PolicyReport report =
      verify(*bench.layout, bench.root.digest, {{"mine", bench.key.public_key()}});
  REQUIRE(report.accepted);
  REQUIRE(report.requirements.front().report.objects.size() == 1);
  CHECK(report.requirements.front().report.objects.front().form == "bundle");

  Requirement named;
  named.reference = Reference::parse(k_name);
  named.must_name = true;
  CHECK_FALSE(
      verify(*bench.layout, bench.root.digest, {{"mine", bench.key.public_key()}}, named)
          .accepted);
  bench.sign(bench.key);
  CHECK(
      verify(*bench.layout, bench.root.digest, {{"mine", bench.key.public_key()}}, named)
          .accepted);
}

TEST_CASE("several who sign one layout at once lose nothing") {
  SignedLayout bench;
  std::vector<PrivateKey> keys;
  for (int i = 0; i < 6; ++i)
    keys.push_back(PrivateKey::generate());
  {
    std::vector<std::jthread> signers;
    for (PrivateKey& key : keys) {
      signers.emplace_back([&] {
        const auto layout = create_layout(bench.path);
        attach_signature(*layout, key, {bench.root, k_name});
      });
    }
  }
  std::vector<NamedKey> trusted;
  for (std::size_t i = 0; i < keys.size(); ++i)
    trusted.push_back({std::to_string(i), keys[i].public_key()});
  const PolicyReport report = verify(*bench.layout, bench.root.digest, trusted);
  CHECK(report.accepted);
  CHECK(report.requirements.front().report.objects.size() == 2 * keys.size());
}

TEST_CASE("a damaged neighbour in a layout keeps nobody from verifying") {
  SignedLayout bench;
  bench.sign(bench.key);
  LayoutIndex index = LayoutIndex::read(bench.path / "index.json");
  Descriptor missing = describe("{\"not\":\"there\"}", media_type::k_manifest);
  missing.artifact_type = "application/x";
  index.add_nameless(missing);
  std::ofstream(bench.path / "index.json") << index.str();
  const PolicyReport report = verify(*open_layout(bench.path), bench.root.digest,
                                     {{"mine", bench.key.public_key()}});
  CHECK(report.accepted);
}

TEST_CASE("signatures go from a layout to a registry and back") {
  SignedLayout bench;
  bench.sign(bench.key);
  RegistryBench registry;
  PrivateKey other = PrivateKey::generate();
  replicate(*bench.layout, bench.root, registry.client(), registry.activity);
  // Who is there already stays there.
  attach_signature(registry.client(), other, {bench.root, registry.client().name()});
  const std::size_t copied =
      copy_attached(*bench.layout, bench.root, registry.client(), registry.activity, {});
  CHECK(copied == 3);
  CHECK(copy_attached(*bench.layout, bench.root, registry.client(), registry.activity,
                      {}) == 0);
  const std::vector<NamedKey> both = {{"mine", bench.key.public_key()},
                                      {"theirs", other.public_key()}};
  CHECK(verify(registry.client(), bench.root.digest, both).accepted);

  TemporaryDirectory directory;
  const auto back = create_layout(directory.path() / "back");
  replicate(registry.client(), bench.root, *back, registry.activity);
  CHECK(copy_attached(registry.client(), bench.root, *back, registry.activity, {}) == 4);
  CHECK(verify(*back, bench.root.digest, both).accepted);
}

TEST_CASE("what is required must all be there, and nothing required is refused") {
  SignedLayout bench;
  bench.sign(bench.key);
  Requirement signature{"signature", KeyRule::any_of({{"k", bench.key.public_key()}})};
  Requirement sbom = signature;
  sbom.name = "spdx";
  sbom.predicate_type = predicate::k_spdx;
  PolicyReport report =
      verify_attached(*bench.layout, bench.root.digest, {signature, sbom});
  CHECK_FALSE(report.accepted);
  CHECK(report.requirements[0].report.accepted);
  CHECK_FALSE(report.requirements[1].report.accepted);
  CHECK(std::string(report.rejection().what()).starts_with("spdx: "));
  CHECK(report.rejection().code() == Errc::untrusted);
  CHECK(report.json().find("\"name\":\"spdx\"") != std::string::npos);

  Statement statement;
  statement.subjects = {Subject::of(bench.root.digest)};
  statement.predicate_type = predicate::k_spdx;
  attach_statement(*bench.layout, bench.key, bench.root, statement);
  CHECK(verify_attached(*bench.layout, bench.root.digest, {signature, sbom}).accepted);
  CHECK_THROWS_AS(verify_attached(*bench.layout, bench.root.digest, {}), Error);
}
