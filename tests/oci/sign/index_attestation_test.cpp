// IndexAttestation: what is said about an image as a member of its index.
#include "oci/sign/index_attestation.h"

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

#include "tests/support/catch.h"
#include "tests/support/memory_repository.h"

using namespace oci;

namespace {

Descriptor put_image(MemoryRepository& to, const Platform& platform) {
  ImageConfig config;
  config.platform = platform;
  const std::string text = config.str();
  put(to, text);
  Manifest manifest{std::string(media_type::k_manifest), "",
                    describe(text, media_type::k_config)};
  manifest.annotations = {{"org.example", "yes"}};
  const std::string document = manifest.str();
  Descriptor which = describe(document, media_type::k_manifest);
  to.put_manifest(which, as_bytes(document));
  which.platform = platform;
  return which;
}

Descriptor put_index(MemoryRepository& to, const std::vector<Descriptor>& images) {
  Index index{std::string(media_type::k_index), images};
  index.annotations = {{"org.example", "yes"}};
  const std::string document = index.str();
  const Descriptor which = describe(document, media_type::k_index);
  to.put_manifest(which, as_bytes(document));
  return which;
}

IndexAttestation about(const Descriptor& image) {
  return {image,
          {{{Subject::of(image.digest)}, std::string(predicate::k_spdx), "{\"a\":1}"},
           {{Subject::of(image.digest)}, std::string(predicate::k_provenance), "{}"}}};
}

const Platform k_amd64{"linux", "amd64", ""};
const Platform k_arm64{"linux", "arm64", ""};

}  // namespace

TEST_CASE("attestations become members of the index, behind its images") {
  MemoryRepository images;
  const Descriptor a = put_image(images, k_amd64), b = put_image(images, k_arm64);
  const Descriptor root = put_index(images, {a, b});
  const IndexAttestation all[] = {about(a), about(b)};
  const Descriptor attested = put_attested_index(images, root, all);
  const Index index = Index::parse(images.manifest(attested), "it");
  REQUIRE(index.manifests.size() == 4);
  CHECK(index.manifests[0] == a);
  CHECK(index.manifests[1] == b);
  CHECK(index.annotations.at("org.example") == "yes");
  for (int i = 0; i < 2; ++i) {
    const Descriptor& entry = index.manifests[2 + i];
    CHECK(is_about_another(entry));
    CHECK(entry.platform->str() == "unknown/unknown");
    CHECK(entry.annotations.at("vnd.docker.reference.digest") ==
          all[i].manifest.digest.str());
    const Manifest manifest = Manifest::parse(images.manifest(entry), "it");
    REQUIRE(manifest.layers.size() == 2);
    const Descriptor& layer = manifest.layers[0];
    CHECK(layer.media_type == "application/vnd.in-toto+json");
    CHECK(layer.annotations.at("in-toto.io/predicate-type") == predicate::k_spdx);
    const std::string text =
        read_all(*images.open({layer.digest, layer.size}), 10000, "it");
    CHECK(Statement::parse(text, "it").find_subject(all[i].manifest.digest) != nullptr);
    CHECK(images.has(manifest.config.digest));
  }
}

TEST_CASE("an image without an index gets one when it is attested") {
  MemoryRepository images;
  const Descriptor image = put_image(images, k_amd64);
  Descriptor root = image;
  root.platform.reset();
  const IndexAttestation all[] = {about(image)};
  const Descriptor attested = put_attested_index(images, root, all);
  const Index index = Index::parse(images.manifest(attested), "it");
  REQUIRE(index.manifests.size() == 2);
  CHECK(index.manifests[0] == image);
  CHECK(index.annotations.at("org.example") == "yes");
  CHECK(without_attestations(images, attested) == root);
}

TEST_CASE("an index without its attestations is the index as it was") {
  MemoryRepository images;
  const Descriptor a = put_image(images, k_amd64), b = put_image(images, k_arm64);
  const Descriptor root = put_index(images, {a, b});
  const IndexAttestation all[] = {about(a), about(b)};
  const Descriptor attested = put_attested_index(images, root, all);
  CHECK(put_attested_index(images, root, all) == attested);
  CHECK(without_attestations(images, attested) == root);
  CHECK_FALSE(without_attestations(images, root));
  CHECK_FALSE(without_attestations(images, a));
}

TEST_CASE("an index is not attested twice, and silence is no member") {
  MemoryRepository images;
  const Descriptor a = put_image(images, k_amd64), b = put_image(images, k_arm64);
  const Descriptor root = put_index(images, {a, b});
  const IndexAttestation all[] = {about(a), {b, {}}};
  const Descriptor attested = put_attested_index(images, root, all);
  CHECK(Index::parse(images.manifest(attested), "it").manifests.size() == 3);
  CHECK_THROWS_AS(put_attested_index(images, attested, all), Error);
}
