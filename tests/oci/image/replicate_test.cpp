// replicate: order, skipping and refusals.
#include "tests/oci/image/repository_suite.h"

using oci::Descriptor;
using oci::Errc;
using repository_suite::copy_image;
using repository_suite::failure_of;

TEST_CASE("children arrive before their parents") {
  MemoryRepository from;
  const Descriptor root = put_small_index(from, "x");
  MemoryRepository to;
  copy_image(from, root, to);
  REQUIRE(to.put_order.size() == 3);
  CHECK(to.put_order.back() == root.digest);
}

TEST_CASE("what is there already is not copied") {
  MemoryRepository from;
  const Descriptor root = put_small_index(from, "x");
  MemoryRepository to;
  copy_image(from, root, to);
  CHECK(to.writers == 3);  // two configurations share one layer
  copy_image(from, root, to);
  CHECK(to.writers == 3);
  CHECK(to.put_order.size() == 3);
  copy_image(from, put_small_image(from, "y"), to);
  CHECK(to.writers == 5);
}

TEST_CASE("an incomplete image does not arrive") {
  MemoryRepository from;
  oci::Manifest manifest{"", "", oci::describe("{}", oci::media_type::k_config)};
  manifest.layers = {oci::describe("never stored", oci::media_type::k_layer)};
  oci::put(from, "{}");
  const Descriptor root = put_document(from, manifest.str(), oci::media_type::k_manifest);
  MemoryRepository to;
  CHECK(failure_of([&] { copy_image(from, root, to); }) == Errc::not_found);
  CHECK_FALSE(to.has_manifest(root.digest));
}

TEST_CASE("indexes that nest without end are refused") {
  MemoryRepository from;
  Descriptor root = put_small_image(from, "x");
  for (int i = 0; i < 6; ++i) {
    oci::Index index;
    index.manifests = {root};
    root = put_document(from, index.str(), oci::media_type::k_index);
  }
  MemoryRepository to;
  CHECK(failure_of([&] { copy_image(from, root, to); }) == Errc::bad_input);
  CHECK(failure_of([&] { oci::closure(from, root); }) == Errc::bad_input);
}

TEST_CASE("an entry of unknown kind travels as a blob") {
  MemoryRepository from;
  oci::put(from, "odd");
  oci::Index index;
  index.manifests = {oci::describe("odd", "application/x-odd")};
  const Descriptor root = put_document(from, index.str(), oci::media_type::k_index);
  MemoryRepository to;
  copy_image(from, root, to);
  CHECK(to.has(index.manifests[0].digest));
}

TEST_CASE("only manifests and indexes are replicated") {
  MemoryRepository from, to;
  const Descriptor blob = oci::describe("x", oci::media_type::k_layer);
  CHECK(failure_of([&] { copy_image(from, blob, to); }) == Errc::bad_input);
}
