// step_cache: results remembered in the store, and layers beside them.
#include "builder/remember/stored_step_cache.h"

#include <sys/stat.h>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "builder/tree/layer_cache.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

using lithify::CacheDatabase;
using lithify::StoredStepCache;
using lithify::Tree;
using lithify::testing::tree_of;

namespace {

const lithify::Step step;

// A store that forgets one blob.
class ForgetfulStore final : public oci::BlobStore {
 public:
  explicit ForgetfulStore(oci::BlobStore& whole) : whole_(whole) {}
  bool has(const oci::Digest& digest) const override {
    return forgotten != digest && whole_.has(digest);
  }
  std::unique_ptr<oci::Source> open(const oci::BlobRef& blob) const override {
    return whole_.open(blob);
  }
  std::unique_ptr<oci::Source> open_range(const oci::BlobRef& blob, std::uint64_t offset,
                                          std::uint64_t size) const override {
    return whole_.open_range(blob, offset, size);
  }
  std::unique_ptr<oci::BlobWriter> create() override { return whole_.create(); }

  std::optional<oci::Digest> forgotten;

 private:
  oci::BlobStore& whole_;
};

}  // namespace

TEST_CASE("what is no file is set aside like a damaged database") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "cache.sqlite";
  const auto works = [&] {
    CacheDatabase(file).put(CacheDatabase::Table::steps, "k", "v");
    return CacheDatabase(file).get(CacheDatabase::Table::steps, "k") == "v";
  };
  for (int i = 0; i < 2; ++i) {
    std::filesystem::create_directories(file / "inside");
    CHECK(works());
    std::filesystem::remove(file);
  }
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(works());
}

TEST_CASE("a result is found again while the store has its contents") {
  const TemporaryDirectory directory;
  CacheDatabase database(directory.path() / "cache.sqlite");
  oci::MemoryStore memory;
  ForgetfulStore store(memory);
  StoredStepCache cache(database, store);
  const oci::Digest key = oci::Digest::of("key");
  const oci::BlobRef content = oci::put(store, "text");
  const Tree tree = tree_of({"d a", "f a/b=text"});

  CHECK_FALSE(cache.find(key, step).has_value());
  cache.remember(key, step, tree);
  REQUIRE(cache.find(key, step).has_value());
  CHECK(cache.find(key, step)->nodes() == tree.nodes());
  SECTION("by another process too") {
    CacheDatabase other(directory.path() / "cache.sqlite");
    CHECK(StoredStepCache(other, store).find(key, step)->digest() == tree.digest());
  }
  SECTION("not when its content is gone") {
    store.forgotten = content.digest;
    CHECK_FALSE(cache.find(key, step).has_value());
  }
  SECTION("not when its text is gone") {
    store.forgotten = oci::Digest::of(tree.to_text());
    CHECK_FALSE(cache.find(key, step).has_value());
  }
  SECTION("not with --no-cache, which remembers all the same") {
    StoredStepCache blind(database, store, StoredStepCache::Lookup::no);
    CHECK_FALSE(blind.find(key, step).has_value());
    blind.remember(oci::Digest::of("other"), step, tree);
    CHECK(cache.find(oci::Digest::of("other"), step).has_value());
  }
  SECTION("not when the row is damaged") {
    for (const std::string& row :
         {std::string("nonsense"), content.digest.str(), content.digest.str() + " 4",
          content.digest.str() + " x"}) {
      database.put(CacheDatabase::Table::steps, key.str(), row);
      CHECK_FALSE(cache.find(key, step).has_value());
    }
  }
}

TEST_CASE("a tree with files of the user's cannot be remembered") {
  const TemporaryDirectory directory;
  CacheDatabase database(directory.path() / "cache.sqlite");
  oci::MemoryStore store;
  StoredStepCache cache(database, store);
  lithify::Node node;
  node.content = lithify::LocalFile{std::string_view("/a"), 1, oci::Digest::of("a")};
  CHECK_THROWS_AS(
      cache.remember(oci::Digest::of("key"), step, Tree(Tree::Nodes{{"a", node}})),
      oci::Error);
}

TEST_CASE("what is only noted is known, and has no tree") {
  const TemporaryDirectory directory;
  CacheDatabase database(directory.path() / "cache.sqlite");
  oci::MemoryStore store;
  StoredStepCache cache(database, store);
  const oci::Digest key = oci::Digest::of("key");
  CHECK_FALSE(cache.knows(key));
  cache.note(key);
  CHECK(cache.knows(key));
  CHECK_FALSE(cache.find(key, step).has_value());
  CHECK_FALSE(StoredStepCache(database, store, StoredStepCache::Lookup::no).knows(key));
}

TEST_CASE("prune forgets what names trees that are gone, and what was only noted") {
  const TemporaryDirectory directory;
  CacheDatabase database(directory.path() / "cache.sqlite");
  oci::MemoryStore store;
  StoredStepCache cache(database, store);
  const Tree one(Tree::Nodes{{"one", lithify::Node()}});
  const Tree two(Tree::Nodes{{"two", lithify::Node()}});
  cache.remember(oci::Digest::of("1"), step, one);
  cache.remember(oci::Digest::of("2"), step, two);
  cache.note(oci::Digest::of("3"));
  cache.prune([&](const oci::Digest& digest) {
    return digest == oci::Digest::of(one.to_text());
  });
  CHECK(cache.find(oci::Digest::of("1"), step).has_value());
  CHECK_FALSE(cache.find(oci::Digest::of("2"), step).has_value());
  CHECK_FALSE(cache.knows(oci::Digest::of("3")));
  database.compact();
  CHECK(cache.find(oci::Digest::of("1"), step).has_value());
}

TEST_CASE("a layer is found again by all that decides its bytes") {
  const TemporaryDirectory directory;
  CacheDatabase database(directory.path() / "cache.sqlite");
  oci::MemoryStore memory;
  ForgetfulStore store(memory);
  lithify::StoredLayerCache cache(database, store);
  const oci::BlobRef blob = oci::put(store, "layer");
  const oci::Layer layer{
      {"application/x", blob.digest, blob.size}, oci::Digest::of("tar"), 1024};
  const lithify::LayerKey key{oci::Digest::of("tree"), 1, oci::Compression::zstd,
                              "zstd-1.5.4"};
  CHECK_FALSE(cache.find(key).has_value());
  cache.remember(key, layer);
  REQUIRE(cache.find(key).has_value());
  CHECK(cache.find(key)->blob == layer.blob);
  CHECK(cache.find(key)->diff_id == layer.diff_id);
  CHECK(cache.find(key)->uncompressed_size == 1024);
  lithify::LayerKey other = key;
  other.encoder = "zstd-1.5.7";
  CHECK_FALSE(cache.find(other).has_value());
  other = key;
  other.compression = oci::Compression::gzip;
  CHECK_FALSE(cache.find(other).has_value());
  store.forgotten = blob.digest;
  CHECK_FALSE(cache.find(key).has_value());
}
