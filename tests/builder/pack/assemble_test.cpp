// assemble: images on bases, whose layers stay what and where they are.
#include "builder/pack/assemble.h"

#include "oci/base/error.h"
#include "oci/base/json.h"

#include "tests/support/borrowed_repository.h"
#include "tests/support/catch.h"
#include "tests/support/memory_repository.h"
#include "tests/support/small_image.h"

namespace lithify {
namespace {

const oci::Platform k_amd64{"linux", "amd64", ""};

// A base as it is in a registry or a layout, and the store that packing writes to.
struct Bench {
  MemoryRepository registry;
  MemoryRepository store;
  std::vector<std::string> asked;  // of the base
  oci::Descriptor base = put_small_image(registry, "one");

  // The image of one directory on the base.
  PackedImage pack_on(const std::string& location) {
    ImagePlan plan;
    plan.name = "web";
    plan.layering.compression = Layering::Compression::none;
    VariantPlan variant;
    variant.platform = k_amd64;
    variant.base = BaseImage{location, base};
    variant.layers.push_back({"dir /a", "dir /a", {0}, false, {}});
    plan.variants.push_back(std::move(variant));
    Node directory;
    directory.type = oci::FileType::directory;
    directory.attributes = {0755, 0, 0, 315532800, {}};
    const Tree tree(Tree::Nodes{{"a", directory}});
    oci::WorkerPool workers(1);
    const bool documents_only = location.starts_with("image:");
    const PackContext context{store, workers, nullptr, [&](const std::string& asked_for) {
                                CHECK(asked_for == location);
                                return std::make_unique<BorrowedRepository>(
                                    documents_only ? store : registry, &asked);
                              }};
    oci::SilentReporter silent;
    oci::Activity activity(silent, "pack");
    return pack(plan, {&tree, 1}, context, activity, {});
  }
  // What locking leaves in the store.
  void keep_documents() {
    const std::string text = registry.manifest(base);
    store.put_manifest(base, oci::as_bytes(text));
    const auto config = oci::Manifest::parse(text, "base").config;
    oci::put(store, *registry.open({config.digest, config.size}));
  }
  oci::Manifest manifest_of(const PackedImage& image) {
    return oci::Manifest::parse(store.manifest(image.root), "image");
  }
};

}  // namespace

TEST_CASE("layers of a base in a registry are referred to, not fetched") {
  Bench bench;
  bench.keep_documents();
  const PackedImage image = bench.pack_on("image:x.example/a/b");
  const auto& layers = image.variants.at(0).layers;
  REQUIRE(layers.size() == 2);
  CHECK(layers[0].from_base);
  CHECK(layers[0].origin == "x.example/a/b");
  CHECK_FALSE(bench.store.has(layers[0].blob.digest));
  CHECK_FALSE(layers[1].from_base);
  CHECK(layers[1].origin.empty());
  CHECK(bench.store.has(layers[1].blob.digest));
  CHECK(bench.manifest_of(image).layers[0] ==
        oci::Manifest::parse(bench.registry.manifest(bench.base), "base").layers[0]);
  for (const std::string& what : bench.asked)
    CHECK(what.find(layers[0].blob.digest.brief()) == std::string::npos);
}

TEST_CASE("a base gives the same image from a registry and from a layout") {
  Bench registry, layout;
  registry.keep_documents();
  const PackedImage one = registry.pack_on("image:x.example/a/b");
  const PackedImage other = layout.pack_on("layout:/somewhere");
  CHECK(one.root == other.root);
  CHECK(other.variants[0].layers[0].origin.empty());
  CHECK(layout.store.has(other.variants[0].layers[0].blob.digest));
}

TEST_CASE("docker's layers get OCI's names and keep their bytes") {
  Bench bench;
  auto manifest = oci::Manifest::parse(bench.registry.manifest(bench.base), "base");
  manifest.media_type = oci::media_type::k_docker_manifest;
  manifest.config.media_type = oci::media_type::k_docker_config;
  manifest.layers[0].media_type = oci::media_type::k_docker_layer_gzip;
  bench.base =
      put_document(bench.registry, manifest.str(), oci::media_type::k_docker_manifest);
  bench.keep_documents();
  const auto made = bench.manifest_of(bench.pack_on("image:x.example/a/b"));
  CHECK(made.layers[0].media_type == oci::media_type::k_layer_gzip);
  CHECK(made.layers[0].digest == manifest.layers[0].digest);
  CHECK(made.config.media_type == oci::media_type::k_config);
}

TEST_CASE("without the base's documents nothing is packed") {
  Bench bench;
  CHECK_THROWS_AS(bench.pack_on("image:x.example/a/b"), oci::Error);
}

}  // namespace lithify
