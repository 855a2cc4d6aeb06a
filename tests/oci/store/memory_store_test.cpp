// memory_store: the shared suite.
#include "oci/store/memory_store.h"

#include "tests/oci/store/blob_store_suite.h"

TEST_CASE("a memory store is a blob store") {
  blob_store_suite::run([] { return std::make_unique<oci::MemoryStore>(); });
}

TEST_CASE("a source outlives the memory store it came from") {
  auto store = std::make_unique<oci::MemoryStore>();
  const auto source = store->open(oci::put(*store, "still here"));
  store.reset();
  CHECK(oci::read_all(*source, 100, "blob") == "still here");
}
