#include "builder/pack/write_layer.h"

#include "oci/base/error.h"
#include "oci/layer/layer_reader.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

using oci::FileType;

struct Written {
  std::vector<oci::Entry> entries;
  std::vector<std::string> contents;
};

class Fixture {
 public:
  Node file(const std::string& text) {
    Node node;
    node.content = Slice{oci::put(store, text), 0, text.size()};
    return node;
  }

  oci::Layer write(const Tree& tree,
                   oci::Compression compression = oci::Compression::none) {
    oci::SilentReporter silent;
    oci::Activity activity(silent, "test");
    return write_layer(tree, store, {compression, workers}, activity, {});
  }

  Written read(const oci::Layer& layer) {
    Written written;
    const auto reader =
        oci::read_layer(store.open({layer.blob.digest, layer.blob.size}), "layer");
    while (const auto entry = reader->next()) {
      written.entries.push_back(*entry);
      written.contents.push_back(entry->type == FileType::regular
                                     ? oci::read_all(reader->content(), 1 << 20, "file")
                                     : "");
    }
    return written;
  }

  oci::MemoryStore store;
  oci::WorkerPool workers{2};
};

Node plain(FileType type) {
  Node node;
  node.type = type;
  return node;
}

TEST_CASE("a tree comes back from its layer") {
  Fixture fixture;
  Node link = plain(FileType::symlink);
  link.link = "b";
  const Tree tree({{"a", plain(FileType::directory)},
                   {"a-b", fixture.file("x")},
                   {"a/b", fixture.file("hello")},
                   {"a/c", link},
                   {"a/gone", plain(FileType::whiteout)},
                   {"empty", plain(FileType::regular)}});
  const Written written = fixture.read(fixture.write(tree));
  std::vector<std::string> order;
  for (const auto& entry : written.entries)
    order.push_back(entry.path);
  CHECK(order == std::vector<std::string>{"a", "a-b", "a/gone", "a/b", "a/c", "empty"});
  CHECK(written.contents[3] == "hello");
  CHECK(written.entries[2].type == FileType::whiteout);
  CHECK(written.entries[5].size == 0);
}

TEST_CASE("names of one file are hard links, unless their attributes differ") {
  Fixture fixture;
  Node one = fixture.file("content");
  one.file_id = 42;
  Node other = one;
  other.attributes.mode = 0600;
  const Tree tree({{"a", one}, {"b", other}, {"c", one}, {"d", other}});
  const Written written = fixture.read(fixture.write(tree));
  CHECK(written.entries[0].type == FileType::regular);
  CHECK(written.entries[1].type == FileType::regular);
  CHECK(written.entries[2].type == FileType::hardlink);
  CHECK(written.entries[2].link == "a");
  CHECK(written.entries[3].link == "b");
}

TEST_CASE("an opaque directory is itself and its mark") {
  Fixture fixture;
  const Tree tree({{"a", plain(FileType::opaque)}, {"a/b", fixture.file("x")}});
  const Written written = fixture.read(fixture.write(tree));
  REQUIRE(written.entries.size() == 3);
  CHECK(written.entries[0].type == FileType::directory);
  CHECK(written.entries[1].type == FileType::opaque);
  CHECK(written.entries[2].path == "a/b");
}

TEST_CASE("a stop request ends the writing of a layer") {
  Fixture fixture;
  std::stop_source stop;
  stop.request_stop();
  oci::SilentReporter silent;
  oci::Activity activity(silent, "test");
  const Tree tree({{"a", fixture.file("x")}});
  CHECK_THROWS_AS(
      write_layer(tree, fixture.store, {oci::Compression::zstd, fixture.workers},
                  activity, stop.get_token()),
      oci::Cancelled);
}

}  // namespace
}  // namespace lithify
