// registry_cache: results that travel by way of a registry, and what strangers put there.
#include "builder/remember/registry_cache.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "oci/image/manifest.h"
#include "oci/layer/layer_writer.h"
#include "oci/layer/zstd_stream.h"
#include "oci/store/memory_store.h"

#include "builder/remember/registry_cache_writer.h"
#include "builder/remember/shared_caches.h"

#include "tests/support/borrowed_repository.h"
#include "tests/support/catch.h"
#include "tests/support/fake_executor.h"
#include "tests/support/memory_repository.h"
#include "tests/support/trees.h"

using lithify::CacheArtifact;
using lithify::RegistryCache;
using lithify::RegistryCacheWriter;
using lithify::Tree;
using lithify::testing::MemoryStepCache;
using lithify::testing::tree_of;

namespace {

const oci::Digest k_key = oci::Digest::of("the key");

lithify::Step unpack_step(const std::string& label = "unpack bash") {
  lithify::Edit edit;
  edit.actions.emplace_back(lithify::UnpackDebAction{0, "bash"});
  lithify::Step step;
  step.operation = edit;
  step.label = label;
  return step;
}

lithify::CacheRepository borrowed(MemoryRepository& from,
                                  std::vector<std::string>* asked = nullptr) {
  return lithify::cache_repository("host/cache",
                                   std::make_unique<BorrowedRepository>(from, asked));
}

RegistryCache reader_of(MemoryRepository& from, oci::BlobStore& store,
                        std::vector<std::string>* asked = nullptr) {
  std::vector<lithify::CacheRepository> places;
  places.push_back(borrowed(from, asked));
  return RegistryCache(std::move(places), store);
}

RegistryCacheWriter::Saved save(RegistryCacheWriter& writer, unsigned parallel = 4) {
  oci::SilentReporter silent;
  oci::Activity activity(silent, "save");
  return writer.save(activity, {}, parallel);
}

// Two machines and the registry between them.
struct Bench {
  MemoryRepository remote;
  oci::MemoryStore ours;
  oci::MemoryStore theirs;
  const Tree tree = tree_of({"d a", "f a/b=text", "f a/c=more text", "l a/d=b"});

  Bench() {
    oci::put(ours, "text");
    oci::put(ours, "more text");
  }
  RegistryCacheWriter::Saved send(const Tree& result, std::string* warning = nullptr) {
    RegistryCacheWriter writer(borrowed(remote), ours);
    writer.offer(k_key, unpack_step(), result);
    const auto saved = save(writer);
    for (const oci::Error& told : writer.take_warnings())
      (warning != nullptr ? *warning : unexpected) += std::string(told.what()) + "\n";
    CHECK(unexpected.empty());
    return saved;
  }
  std::string manifest() const {
    return remote.manifest(remote.resolve(CacheArtifact::tag_of(k_key)).value());
  }
  CacheArtifact artifact() const {
    return CacheArtifact::parse(manifest(), k_key, "the cache");
  }
  void put_at_tag(const std::string& text) {
    const oci::Descriptor which = oci::describe(text, oci::media_type::k_manifest);
    remote.put_manifest(which, oci::as_bytes(text));
    remote.set_tag(CacheArtifact::tag_of(k_key), which);
  }
  oci::BlobRef put_compressed(const std::string& text) {
    return oci::put(remote,
                    *oci::zstd_compressed(std::make_unique<oci::StringSource>(text)));
  }
  CacheArtifact::Part part_of(const std::string& text) {
    return {{oci::Digest::of(text), text.size()}, put_compressed(text)};
  }

  std::string unexpected;
};

// What the second machine is told when it looks; "found" if it is content.
std::string finding(Bench& bench) {
  RegistryCache cache = reader_of(bench.remote, bench.theirs);
  if (cache.find(k_key)) return "found";
  CHECK_FALSE(cache.find(k_key).has_value());
  const auto warnings = cache.take_warnings();
  if (warnings.empty()) return "nothing";
  CHECK(warnings.size() == 1);
  CHECK(std::string(warnings.front().what()) ==
        "the cache host/cache holds something wrong, which is not used");
  return warnings.front().notes().front();
}

bool says(const std::string& text, const std::string& part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a result is found on another machine, and its contents when they are read") {
  Bench bench;
  CHECK(bench.send(bench.tree).written == 1);
  std::vector<std::string> asked;
  RegistryCache cache = reader_of(bench.remote, bench.theirs, &asked);
  const auto found = cache.find(k_key);
  REQUIRE(found.has_value());
  CHECK(found->nodes() == bench.tree.nodes());
  CHECK(cache.found() == 1);
  CHECK(asked.size() == 3);  // the tag, the manifest, the text

  const oci::BlobRef text{oci::Digest::of("text"), 4};
  CHECK_FALSE(bench.theirs.has(text.digest));
  cache.bring(text);
  CHECK(oci::read_all(*bench.theirs.open(text), 100, "text") == "text");
  cache.bring(text);
  CHECK(asked.size() == 4);
  CHECK_FALSE(cache.broke_promise());
  CHECK_THROWS_AS(cache.bring({oci::Digest::of("other"), 5}), oci::Error);
  CHECK_FALSE(cache.broke_promise());
}

TEST_CASE("equal results are equal artifacts, whoever sends them in which order") {
  Bench one;
  Bench two;
  const oci::Digest other_key = oci::Digest::of("another key");
  const Tree other = tree_of({"f z=text"});
  RegistryCacheWriter forward(borrowed(one.remote), one.ours);
  forward.offer(k_key, unpack_step(), one.tree);
  forward.offer(other_key, unpack_step(), other);
  save(forward, 4);
  RegistryCacheWriter backward(borrowed(two.remote), two.ours);
  backward.offer(other_key, unpack_step("another label"), other);
  backward.offer(k_key, unpack_step("another label"), two.tree);
  save(backward, 1);
  CHECK(one.manifest() == two.manifest());
  CHECK(one.remote.tags() == two.remote.tags());
  CHECK(one.remote.tags().size() == 2);
}

TEST_CASE("an artifact is what its format says") {
  const oci::Digest text = oci::Digest::of("tree");
  CacheArtifact artifact{k_key, text, "zstd-1.5.4"};
  artifact.parts = {{{text, 4}, {oci::Digest::of("T"), 1}},
                    {{oci::Digest::of("blob"), 5}, {oci::Digest::of("B"), 2}}};
  CHECK(CacheArtifact::tag_of(k_key) == "k1-" + k_key.hex().substr(0, 40));
  CHECK(
      artifact.manifest() ==
      R"({"annotations":{"dev.lithify.encoder":"zstd-1.5.4","dev.lithify.key":")" +
          k_key.str() + R"(","dev.lithify.result":")" + text.str() +
          R"("},"artifactType":"application/vnd.lithify.cache.v1","config":{"digest":)"
          R"("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",)"
          R"("mediaType":"application/vnd.oci.empty.v1+json","size":2},"layers":[)"
          R"({"annotations":{"dev.lithify.content":")" +
          text.str() + R"(","dev.lithify.size":"4"},"digest":")" +
          oci::Digest::of("T").str() +
          R"(","mediaType":"application/vnd.lithify.tree.v1+zstd","size":1},)"
          R"({"annotations":{"dev.lithify.content":")" +
          oci::Digest::of("blob").str() + R"(","dev.lithify.size":"5"},"digest":")" +
          oci::Digest::of("B").str() +
          R"(","mediaType":"application/vnd.lithify.blob.v1+zstd","size":2}],)"
          R"("mediaType":"application/vnd.oci.image.manifest.v1+json",)"
          R"("schemaVersion":2})");
  const CacheArtifact read = CacheArtifact::parse(artifact.manifest(), k_key, "it");
  CHECK(read.parts == artifact.parts);
  CHECK(read.result == text);
}

TEST_CASE("what is there is not sent again") {
  Bench bench;
  bench.send(bench.tree);
  const int writers = bench.remote.writers;
  const auto saved = bench.send(bench.tree);
  CHECK(saved.written == 0);
  CHECK(saved.there == 1);
  CHECK(bench.remote.writers == writers);
}

TEST_CASE("two that write at once are no harm") {
  Bench bench;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> kept = 0;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      RegistryCacheWriter writer(borrowed(bench.remote), bench.ours);
      for (int step = 0; step < 50; ++step)
        writer.offer(oci::Digest::of(std::to_string(step)), unpack_step(), bench.tree);
      const auto saved = save(writer);
      kept += saved.written + saved.there;
      if (!writer.take_warnings().empty()) kept = 1000;
    });
  }
  for (auto& thread : threads)
    thread.join();
  CHECK(kept == 100);
  CHECK(bench.remote.tags().size() == 50);
}

TEST_CASE("another result under the same key is told of, and never replaced") {
  Bench bench;
  bench.send(bench.tree);
  const std::string before = bench.manifest();
  std::string warning;
  bench.send(tree_of({"f a=text"}), &warning);
  CHECK(
      warning ==
      "`unpack bash` is not reproducible: its result differs from that in host/cache\n");
  CHECK(bench.manifest() == before);
}

TEST_CASE("the same result of another encoder is the same result") {
  Bench bench;
  bench.send(bench.tree);
  CacheArtifact other = bench.artifact();
  other.encoder = "zstd-9.9.9";
  bench.put_at_tag(other.manifest());
  CHECK(bench.send(bench.tree).there == 1);
}

TEST_CASE("files of the user's and trivial steps are not kept") {
  Bench bench;
  lithify::Node node;
  node.content = lithify::LocalFile{std::string_view("/a"), 1, oci::Digest::of("a")};
  CHECK(bench.send(Tree(Tree::Nodes{{"a", node}})).written == 0);
  lithify::Step step;
  CHECK_FALSE(is_worth_keeping(step));
  lithify::Edit edit;
  edit.actions.emplace_back(lithify::WriteAction{});
  edit.actions.emplace_back(lithify::SymlinkAction{});
  step.operation = edit;
  CHECK_FALSE(is_worth_keeping(step));
  edit.actions.emplace_back(lithify::RemoveAction{});
  step.operation = edit;
  CHECK(is_worth_keeping(step));
  step.operation = lithify::Fetch{"", oci::Digest::of(""), 0, ""};
  CHECK_FALSE(is_worth_keeping(step));
  step.operation = lithify::Import{};
  CHECK_FALSE(is_worth_keeping(step));
}

TEST_CASE("whatever is wrong in a cache is a warning and a miss") {
  Bench bench;
  bench.send(bench.tree);
  REQUIRE(finding(bench) == "found");
  CacheArtifact wrong = bench.artifact();
  const std::string good = bench.manifest();
  const std::string text = bench.tree.to_text();
  const auto with_tree = [&](const std::string& tree) {
    wrong.result = oci::Digest::of(tree);
    wrong.parts.front() = bench.part_of(tree);
    bench.put_at_tag(wrong.manifest());
    return finding(bench);
  };

  SECTION("another key") {
    wrong.key = oci::Digest::of("another");
    bench.put_at_tag(wrong.manifest());
    CHECK(says(finding(bench), "is the result of"));
  }
  SECTION("no artifact") {
    bench.put_at_tag("{}");
    CHECK(says(finding(bench), "schemaVersion"));
    bench.put_at_tag("no JSON");
    CHECK(says(finding(bench), "JSON"));
    std::string other = good;
    other.replace(other.find("lithify.cache.v1"), 16, "lithify.other.v1");
    bench.put_at_tag(other);
    CHECK(says(finding(bench), "nothing that lithify put"));
  }
  SECTION("annotations that are missing or say nothing") {
    for (const char* name : {"key", "result", "encoder", "content", "size"}) {
      std::string other = good;
      other.replace(other.find(std::string("dev.lithify.") + name), 12, "dev.stranger");
      bench.put_at_tag(other);
      CHECK(says(finding(bench), "is missing"));
    }
    std::string other = good;
    const std::string size = "\"dev.lithify.size\":\"";
    other.insert(other.find(size) + size.size(), "-");
    bench.put_at_tag(other);
    CHECK(says(finding(bench), "is no size"));
  }
  SECTION("a text that is no tree") {
    CHECK(says(with_tree("lithify-tree 2\n"), "this is no tree"));
    CHECK(says(with_tree("lithify-tree 1\nf ../x 644 0 0 0\n"), "component"));
  }
  SECTION("a tree that names what is not listed") {
    CHECK(says(with_tree(tree_of({"f secret=elsewhere"}).to_text()), "is not listed"));
  }
  SECTION("a tree that names a blob with another size") {
    std::string longer = text;
    longer.replace(longer.find(":9:0:9"), 6, ":99:0:99");
    CHECK(says(with_tree(longer), "is not listed"));
  }
  SECTION("another text than it says") {
    wrong.parts.front().stored = bench.put_compressed(tree_of({"f a=b"}).to_text());
    bench.put_at_tag(wrong.manifest());
    oci::MemoryStore empty;
    RegistryCache cache = reader_of(bench.remote, empty);
    CHECK_FALSE(cache.find(k_key).has_value());
    CHECK(cache.take_warnings().size() == 1);
  }
  SECTION("a text that is too long, by what it says and by what it is") {
    wrong.parts.front().content.size = (64U << 20) + 1;
    bench.put_at_tag(wrong.manifest());
    CHECK(says(finding(bench), "more than 64 MiB"));
    wrong.parts.front().content.size = 100;
    wrong.parts.front().stored = bench.put_compressed(std::string(80 << 20, '\n'));
    bench.put_at_tag(wrong.manifest());
    oci::MemoryStore empty;
    RegistryCache cache = reader_of(bench.remote, empty);
    CHECK_FALSE(cache.find(k_key).has_value());
    CHECK(says(cache.take_warnings().front().notes().front(), "100"));
  }
  SECTION("a text that is not there, and one that is not compressed") {
    wrong.parts.front().stored = {oci::Digest::of("nowhere"), 7};
    bench.put_at_tag(wrong.manifest());
    oci::MemoryStore empty;
    RegistryCache cache = reader_of(bench.remote, empty);
    CHECK_FALSE(cache.find(k_key).has_value());
    CHECK(cache.take_warnings().size() == 1);
    wrong.parts.front().stored = oci::put(bench.remote, text);
    bench.put_at_tag(wrong.manifest());
    RegistryCache again = reader_of(bench.remote, empty);
    CHECK_FALSE(again.find(k_key).has_value());
    CHECK(again.take_warnings().size() == 1);
  }
  SECTION("parts in another order, or of another kind") {
    std::swap(wrong.parts[1], wrong.parts[2]);
    bench.put_at_tag(wrong.manifest());
    CHECK(says(finding(bench), "not in order"));
    std::string other = good;
    other.replace(other.find("lithify.blob.v1"), 15, "lithify.else.v1");
    bench.put_at_tag(other);
    CHECK(says(finding(bench), "another media type"));
  }
}

TEST_CASE("a blob that is not what the tree was promised is a broken promise") {
  Bench bench;
  bench.send(bench.tree);
  CacheArtifact wrong = bench.artifact();
  auto& part = wrong.parts[1].content.size == 4 ? wrong.parts[1] : wrong.parts[2];
  SECTION("not there") {
    part.stored = {oci::Digest::of("nowhere"), 7};
  }
  SECTION("other bytes of the same length") {
    part.stored = bench.put_compressed("tEXT");
  }
  SECTION("more bytes") {
    part.stored = bench.put_compressed("text" + std::string(1 << 20, ' '));
  }
  SECTION("not compressed") {
    part.stored = oci::put(bench.remote, "text");
  }
  bench.put_at_tag(wrong.manifest());
  RegistryCache cache = reader_of(bench.remote, bench.theirs);
  REQUIRE(cache.find(k_key).has_value());
  const oci::BlobRef text{oci::Digest::of("text"), 4};
  CHECK_THROWS_AS(cache.bring(text), oci::Error);
  CHECK(cache.broke_promise());
  CHECK_FALSE(bench.theirs.has(text.digest));
  cache.give_up();
  CHECK_FALSE(cache.broke_promise());
  CHECK_FALSE(cache.find(k_key).has_value());
}

TEST_CASE("a cache that does not answer is asked once, and told of once") {
  oci::MemoryStore store;
  int asked = 0;
  lithify::CacheRepository silent;
  silent.name = "host/silent";
  silent.read = [&asked](const std::string&) -> std::optional<std::string> {
    ++asked;
    throw oci::Error(oci::Errc::unavailable, "nobody is there");
  };
  Bench bench;
  bench.send(bench.tree);
  std::vector<lithify::CacheRepository> places;
  places.push_back(std::move(silent));
  places.push_back(borrowed(bench.remote));
  RegistryCache cache(std::move(places), store);
  CHECK(cache.find(k_key).has_value());
  CHECK_FALSE(cache.find(oci::Digest::of("other")).has_value());
  CHECK(asked == 1);
  const auto warnings = cache.take_warnings();
  REQUIRE(warnings.size() == 1);
  CHECK(std::string(warnings.front().what()) ==
        "the cache host/silent cannot be reached, going on without it");
  CHECK(warnings.front().notes().front() == "nobody is there");
}

TEST_CASE("a cache that cannot be written to is told of once") {
  Bench bench;
  lithify::CacheRepository silent = borrowed(bench.remote);
  silent.read = [](const std::string&) -> std::optional<std::string> {
    throw oci::Error(oci::Errc::denied, "not you");
  };
  RegistryCacheWriter writer(std::move(silent), bench.ours);
  for (int i = 0; i < 5; ++i)
    writer.offer(oci::Digest::of(std::to_string(i)), unpack_step(), bench.tree);
  CHECK(save(writer, 1).written == 0);
  const auto warnings = writer.take_warnings();
  REQUIRE(warnings.size() == 1);
  CHECK(std::string(warnings.front().what()) ==
        "the cache host/cache cannot be written to");
}

TEST_CASE("a miss is asked for once") {
  Bench bench;
  std::vector<std::string> asked;
  RegistryCache cache = reader_of(bench.remote, bench.theirs, &asked);
  CHECK_FALSE(cache.find(k_key).has_value());
  CHECK_FALSE(cache.find(k_key).has_value());
  CHECK(asked.size() == 1);
  CHECK(cache.take_warnings().empty());
}

TEST_CASE("steps that are expected are looked for several at a time, and once") {
  Bench bench;
  bench.send(bench.tree);
  std::mutex mutex;
  int asked = 0;
  int now = 0;
  int most = 0;
  lithify::CacheRepository slow = borrowed(bench.remote);
  slow.read = [&, read = slow.read](const std::string& tag) {
    {
      const std::lock_guard lock(mutex);
      ++asked;
      most = std::max(most, ++now);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const std::lock_guard lock(mutex);
    --now;
    return read(tag);
  };
  std::vector<lithify::CacheRepository> places;
  places.push_back(std::move(slow));
  RegistryCache cache(std::move(places), bench.theirs);
  std::vector<oci::Digest> keys = {k_key};
  for (int i = 0; i < 15; ++i)
    keys.push_back(oci::Digest::of(std::to_string(i)));
  cache.expect(keys);
  CHECK(asked == 0);
  for (const oci::Digest& key : keys)
    CHECK(cache.find(key).has_value() == (key == k_key));
  CHECK(cache.find(k_key).has_value());
  CHECK(asked == 16);
  CHECK(most > 1);
  CHECK(cache.found() == 2);
}

TEST_CASE("a cache that is dropped asks for nothing more") {
  Bench bench;
  std::atomic<int> asked = 0;
  {
    lithify::CacheRepository slow = borrowed(bench.remote);
    slow.read = [&asked](const std::string&) -> std::optional<std::string> {
      ++asked;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return std::nullopt;
    };
    std::vector<lithify::CacheRepository> places;
    places.push_back(std::move(slow));
    RegistryCache cache(std::move(places), bench.theirs);
    std::vector<oci::Digest> keys;
    for (int i = 0; i < 1000; ++i)
      keys.push_back(oci::Digest::of(std::to_string(i)));
    cache.expect(keys);
    cache.find(keys.front());
  }
  CHECK(asked < 500);
}

namespace {

oci::Layer layer_in(oci::BlobStore& store, oci::Compression compression) {
  oci::WorkerPool workers(1);
  oci::LayerWriter writer(store, compression, workers);
  oci::Entry entry;
  entry.path = "a";
  entry.size = 4;
  oci::StringSource content("text");
  writer.add(entry, content);
  return std::move(writer).finish();
}

lithify::LayerKey key_of(oci::Compression compression) {
  return {oci::Digest::of("tree"), 1, compression, oci::encoder_identity(compression)};
}

}  // namespace

TEST_CASE("a layer is found on another machine, with its bytes") {
  for (const auto compression :
       {oci::Compression::zstd, oci::Compression::gzip, oci::Compression::none}) {
    Bench bench;
    const oci::Layer layer = layer_in(bench.ours, compression);
    RegistryCacheWriter writer(borrowed(bench.remote), bench.ours);
    writer.offer(key_of(compression), layer);
    CHECK(save(writer).written == 1);
    CHECK(writer.layers() == std::vector{layer.blob.digest});
    RegistryCache cache = reader_of(bench.remote, bench.theirs);
    const auto found = cache.find(key_of(compression));
    REQUIRE(found.has_value());
    CHECK(found->blob == layer.blob);
    CHECK(found->diff_id == layer.diff_id);
    CHECK(found->uncompressed_size == layer.uncompressed_size);
    CHECK(bench.theirs.has(layer.blob.digest));
    CHECK(cache.places_of_layers().front().second == "host/cache");
    // A step's key of the same digest would be no accident.
    CHECK_FALSE(cache.find(cache_key(key_of(compression))).has_value());
  }
}

TEST_CASE("all that decides a layer's bytes is in its key") {
  const lithify::LayerKey key = key_of(oci::Compression::zstd);
  lithify::LayerKey other = key;
  other.tree = oci::Digest::of("other");
  CHECK(cache_key(other) != cache_key(key));
  other = key;
  other.format = 2;
  CHECK(cache_key(other) != cache_key(key));
  other = key;
  other.compression = oci::Compression::gzip;
  CHECK(cache_key(other) != cache_key(key));
  other = key;
  other.encoder = "zstd-9.9.9";
  CHECK(cache_key(other) != cache_key(key));
}

TEST_CASE("a layer that is not what it says is a warning and a miss") {
  Bench bench;
  const lithify::LayerKey key = key_of(oci::Compression::zstd);
  const oci::Digest name = cache_key(key);
  oci::Layer layer = layer_in(bench.remote, oci::Compression::zstd);
  CacheArtifact artifact{name, layer.blob.digest, key.encoder};
  std::string expected;
  SECTION("another tar inside") {
    layer.diff_id = oci::Digest::of("other");
    expected = "digest";
  }
  SECTION("less inside") {
    layer.uncompressed_size += 512;
    expected = "bytes";
  }
  SECTION("another kind") {
    layer.blob.media_type = oci::media_type::k_layer_gzip;
    expected = "is no layer of the kind";
  }
  SECTION("another blob than the result") {
    artifact.result = oci::Digest::of("other");
    expected = "not the result";
  }
  SECTION("no blob") {
    layer.blob.digest = artifact.result = oci::Digest::of("nowhere");
    expected = "no blob";
  }
  artifact.layer = layer;
  const std::string text = artifact.manifest();
  const oci::Descriptor which = oci::describe(text, oci::media_type::k_manifest);
  bench.remote.put_manifest(which, oci::as_bytes(text));
  bench.remote.set_tag(CacheArtifact::tag_of(name), which);
  RegistryCache cache = reader_of(bench.remote, bench.theirs);
  CHECK_FALSE(cache.find(key).has_value());
  const auto warnings = cache.take_warnings();
  REQUIRE(warnings.size() == 1);
  CHECK(says(warnings.front().notes().front(), expected));
}

TEST_CASE("the store is asked first, and what it has is sent; what was found is not") {
  Bench bench;
  bench.send(bench.tree);
  std::vector<std::string> asked;
  RegistryCache from = reader_of(bench.remote, bench.theirs, &asked);
  MemoryRepository elsewhere;
  RegistryCacheWriter to(borrowed(elsewhere), bench.ours);
  lithify::SharedStepCache cache(std::make_unique<MemoryStepCache>(), {&from, &to});
  CHECK(cache.find(k_key, unpack_step()).has_value());
  CHECK(save(to).written == 0);
  const std::size_t requests = asked.size();
  CHECK(cache.find(k_key, unpack_step()).has_value());
  CHECK(asked.size() == requests);
  CHECK(save(to).written == 1);

  const oci::Digest noted = oci::Digest::of("noted");
  cache.note(noted);
  CHECK_FALSE(cache.find(noted, unpack_step()).has_value());
  CHECK_FALSE(cache.find(oci::Digest::of("trivial"), lithify::Step()).has_value());
  CHECK(asked.size() == requests);
  cache.remember(noted, unpack_step(), bench.tree);
  CHECK(save(to).written == 2);
}
