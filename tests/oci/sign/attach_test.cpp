// attach: signatures put beside an image in a registry, and found there.
#include "oci/sign/attach.h"

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/sign/simple_signing.h"

#include "tests/oci/sign/keys.h"
#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"

using namespace oci;

namespace {

struct Bench : RegistryBench {
  PrivateKey& key = key_of(KeyType::ecdsa_p256);

  Descriptor image(const std::string& text) {
    const BlobRef config = keep(
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
        "\"type\":\"layers\",\"diff_ids\":[]},\"x\":\"" +
        text + "\"}");
    client().take(store, config, activity, stop.get_token());
    Manifest manifest{std::string(media_type::k_manifest),
                      "",
                      {std::string(media_type::k_config), config.digest, config.size}};
    const std::string document = manifest.str();
    const Descriptor which = describe(document, media_type::k_manifest);
    client().put_manifest(which, as_bytes(document));
    return which;
  }
  // The names that the classic signatures of an image bind.
  std::vector<std::string> names(const Descriptor& image) {
    std::vector<std::string> found;
    const auto document = client().manifest_of("sha256-" + image.digest.hex() + ".sig");
    for (const Descriptor& layer : Manifest::parse(document.value(), "it").layers) {
      const auto blob = client().open({layer.digest, layer.size});
      found.push_back(SimpleSigning::parse(read_all(*blob, 10000, "it"), "it").reference);
    }
    return found;
  }
  Attached sign(const Descriptor& image, PrivateKey& by,
                std::map<std::string, std::string> annotations = {}) {
    return attach_signature(client(), by,
                            {image, client().name() + ":1", std::move(annotations)});
  }
  VerifyReport verify(const Descriptor& image, std::vector<NamedKey> trusted,
                      Expectation expected) {
    const std::size_t count = trusted.size();
    expected.manifest = image.digest;
    Verifier verifier({std::move(trusted), count}, std::move(expected));
    offer_attached(client(), image.digest, verifier, unread);
    return std::move(verifier).finish();
  }
  VerifyReport verify(const Descriptor& image, std::vector<NamedKey> trusted) {
    return verify(image, std::move(trusted), Expectation{image.digest});
  }
  std::vector<std::string> unread;
};

}  // namespace

TEST_CASE("an image is signed in both forms, and once") {
  Bench bench;
  const Descriptor image = bench.image("one");
  const Attached first = bench.sign(image, bench.key);
  CHECK((first.classic && first.bundle));
  const Attached again = bench.sign(image, bench.key);
  CHECK_FALSE((again.classic || again.bundle));
  const VerifyReport report = bench.verify(image, {{"mine", bench.key.public_key()}});
  CHECK(report.accepted);
  CHECK(report.objects.size() == 2);
  CHECK(bench.unread.empty());
}

TEST_CASE("pitfall 17: what is signed without a tag is bound by its digest") {
  Bench bench;
  const Descriptor image = bench.image("one");
  const std::string name = bench.client().name();
  const std::string by_digest = name + "@" + image.digest.str();
  attach_signature(bench.client(), bench.key, {image, name});
  CHECK(bench.names(image) == std::vector{by_digest});
  Expectation expected{image.digest};
  expected.reference = Reference::parse(by_digest);
  const VerifyReport report =
      bench.verify(image, {{"mine", bench.key.public_key()}}, expected);
  CHECK(report.objects.size() == 2);
  for (const ObjectReport& object : report.objects)
    CHECK(object.accepted());
  attach_signature(bench.client(), bench.key, {image, name + ":1"});
  attach_signature(bench.client(), bench.key, {image, by_digest});
  CHECK(bench.names(image) == std::vector{by_digest, name + ":1"});
}

TEST_CASE("a second key signs beside the first") {
  Bench bench;
  const Descriptor image = bench.image("one");
  PrivateKey other = PrivateKey::generate();
  bench.sign(image, bench.key);
  bench.sign(image, other);
  CHECK(bench
            .verify(image,
                    {{"mine", bench.key.public_key()}, {"theirs", other.public_key()}})
            .accepted);
}

TEST_CASE("who signed nothing is not believed") {
  Bench bench;
  const Descriptor image = bench.image("one");
  const PrivateKey other = PrivateKey::generate();
  SECTION("where nobody signed") {
    CHECK_FALSE(bench.verify(image, {{"mine", bench.key.public_key()}}).accepted);
  }
  SECTION("where others did") {
    bench.sign(image, bench.key);
    CHECK_FALSE(bench.verify(image, {{"theirs", other.public_key()}}).accepted);
  }
  SECTION("where another image was signed") {
    bench.sign(bench.image("two"), bench.key);
    CHECK_FALSE(bench.verify(image, {{"mine", bench.key.public_key()}}).accepted);
  }
}

TEST_CASE("annotations are signed, and asked for") {
  Bench bench;
  const Descriptor image = bench.image("one");
  bench.sign(image, bench.key, {{"stage", "release"}});
  Expectation expected{image.digest};
  expected.annotations = {{"stage", "release"}};
  CHECK(bench.verify(image, {{"mine", bench.key.public_key()}}, expected).accepted);
  expected.annotations = {{"stage", "test"}};
  CHECK_FALSE(bench.verify(image, {{"mine", bench.key.public_key()}}, expected).accepted);
}

TEST_CASE("an attestation is no signature, and is found by its type") {
  Bench bench;
  const Descriptor image = bench.image("one");
  Statement statement;
  statement.subjects = {Subject::of(image.digest)};
  statement.predicate_type = predicate::k_openvex;
  CHECK(attach_statement(bench.client(), bench.key, image, statement));
  CHECK_FALSE(attach_statement(bench.client(), bench.key, image, statement));
  CHECK_FALSE(bench.verify(image, {{"mine", bench.key.public_key()}}).accepted);
  Expectation expected{image.digest};
  expected.predicate_type = predicate::k_openvex;
  CHECK(bench.verify(image, {{"mine", bench.key.public_key()}}, expected).accepted);
}

TEST_CASE("what strangers attached is told of and keeps nobody from verifying") {
  Bench bench;
  const Descriptor image = bench.image("one");
  const std::string tag = "sha256-" + image.digest.hex() + ".att";
  const Descriptor nonsense = bench.image("a config, no attestation");
  bench.client().set_tag(tag, nonsense);
  bench.sign(image, bench.key);
  CHECK(bench.verify(image, {{"mine", bench.key.public_key()}}).accepted);
}

TEST_CASE("one form is signed when only one is wanted") {
  Bench bench;
  const Descriptor image = bench.image("one");
  const ImageSignature signature{image, bench.client().name() + ":1"};
  const AttachedForm form =
      GENERATE(AttachedForm::classic, AttachedForm::bundle, AttachedForm::both);
  const Attached done = attach_signature(bench.client(), bench.key, signature, form);
  CHECK(done.classic == (form != AttachedForm::bundle));
  CHECK(done.bundle == (form != AttachedForm::classic));
  const VerifyReport report = bench.verify(image, {{"mine", bench.key.public_key()}});
  CHECK(report.accepted);
  CHECK(report.objects.size() == (form == AttachedForm::both ? 2 : 1));
}

TEST_CASE("an attestation is mirrored to the tag of the classic form, once") {
  Bench bench;
  const Descriptor image = bench.image("one");
  Statement statement;
  statement.subjects = {Subject::of(image.digest)};
  statement.predicate_type = predicate::k_openvex;
  const auto mirror = [&](PrivateKey& key) {
    return attach_classic_statement(bench.client(), key, image, statement);
  };
  PrivateKey other = PrivateKey::generate();
  CHECK(mirror(bench.key));
  CHECK_FALSE(mirror(bench.key));
  CHECK(mirror(other));
  statement.predicate = "{\"a\":1}";
  CHECK(mirror(bench.key));
  const auto document =
      bench.client().manifest_of("sha256-" + image.digest.hex() + ".att");
  REQUIRE(document.has_value());
  const auto layers = Manifest::parse(*document, "the tag").layers;
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].media_type == "application/vnd.dsse.envelope.v1+json");
  CHECK(layers[0].annotations.at("dev.cosignproject.cosign/signature").empty());
  CHECK(layers[0].annotations.at("predicateType") == predicate::k_openvex);
  Expectation expected{image.digest};
  expected.predicate_type = predicate::k_openvex;
  CHECK(bench
            .verify(image,
                    {{"mine", bench.key.public_key()}, {"theirs", other.public_key()}},
                    expected)
            .accepted);
}

TEST_CASE("a statement is found for showing, by its type and its image") {
  Bench bench;
  const Descriptor image = bench.image("one");
  Statement statement;
  statement.subjects = {Subject::of(image.digest)};
  statement.predicate_type = predicate::k_spdx;
  statement.predicate = "{\"name\":\"one\"}";
  const auto find = [&](std::string_view type) {
    return find_statement(bench.client(), image.digest, type);
  };
  CHECK_FALSE(find(predicate::k_spdx));
  SECTION("in a bundle") {
    attach_statement(bench.client(), bench.key, image, statement);
  }
  SECTION("in the classic form") {
    attach_classic_statement(bench.client(), bench.key, image, statement);
  }
  bench.sign(image, bench.key);
  CHECK(find(predicate::k_spdx) == statement);
  CHECK_FALSE(find(predicate::k_cyclonedx));
  CHECK_FALSE(
      find_statement(bench.client(), bench.image("two").digest, predicate::k_spdx));
}

TEST_CASE("a statement about another image is not shown") {
  Bench bench;
  const Descriptor image = bench.image("one");
  Statement statement;
  statement.subjects = {Subject::of(bench.image("two").digest)};
  statement.predicate_type = predicate::k_spdx;
  attach_statement(bench.client(), bench.key, image, statement);
  CHECK_FALSE(find_statement(bench.client(), image.digest, predicate::k_spdx));
}
