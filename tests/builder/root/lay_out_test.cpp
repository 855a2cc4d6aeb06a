// lay_out: files are made while the blobs that they come from are still being hashed, and
// a blob that lies leaves no root behind.
#include "builder/root/lay_out.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/directory_store.h"

#include "builder/root/shared_roots.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;
using lithify::Node;
using lithify::RootTools;
using lithify::SharedRoots;
using lithify::Tree;

namespace {

constexpr std::uint64_t k_size = 9 << 20;  // worth a thread of its own

std::string large_text() {
  return std::string(k_size, 'x');
}

// Files that are stretches of one large blob, which somebody else has put into the store.
class Bench {
 public:
  Bench() {
    oci::DirectoryStore store(place_.path() / "store");
    REQUIRE(put(store, large_text()) == blob_);
  }

  // What no file of the tree has: only the digest tells.
  void falsify() {
    const fs::path path = place_.path() / "store/blobs/sha256" / blob_.digest.hex();
    fs::permissions(path, fs::perms(0644));
    std::fstream file(path, std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(k_size) - 1);
    file.put('y');
  }

  Tree tree() const {
    Tree::Nodes nodes;
    for (std::uint64_t number = 0; number < 300; ++number) {
      Node node;
      node.attributes.mode = 0644;
      node.content = lithify::Slice{blob_, number * 100, 100};
      nodes.emplace("f" + std::to_string(number), node);
    }
    return Tree(std::move(nodes));
  }

  oci::Errc failure(oci::DirectoryStore& store) {
    try {
      lithify::lay_out(tree(), place_.path() / "root", tools(store), activity_, {});
    } catch (const oci::Error& error) {
      return error.code();
    }
    return oci::Errc::internal;
  }

  RootTools tools(oci::DirectoryStore& store) const {
    return {store, probe_, "", nullptr, &store.blobs()};
  }
  fs::path place(const char* name) const { return place_.path() / name; }
  oci::Activity& activity() { return activity_; }

 private:
  TemporaryDirectory place_;
  const oci::BlobRef blob_{oci::Digest::of(large_text()), k_size};
  const lithify::SandboxProbe probe_;  // the files are ours
  oci::SilentReporter silent_;
  oci::Activity activity_{silent_, "root"};
};

}  // namespace

TEST_CASE("files have their stretches, and the blob was hashed when they are there") {
  Bench bench;
  oci::DirectoryStore store(bench.place("store"));
  lithify::lay_out(bench.tree(), bench.place("root"), bench.tools(store),
                   bench.activity(), {});
  CHECK(oci::read_file(bench.place("root") / "f299", 1000) == std::string(100, 'x'));
  CHECK(store.blobs().is_checked(oci::Digest::of(large_text())));
}

TEST_CASE("a blob that lies is an error, whatever was made of it") {
  Bench bench;
  bench.falsify();
  oci::DirectoryStore store(bench.place("store"));
  CHECK(bench.failure(store) == oci::Errc::mismatch);
  CHECK(store.blobs().found_lying() == 1);
}

TEST_CASE("a blob that lies makes no shared root, and an honest one does") {
  Bench bench;
  bench.falsify();
  oci::DirectoryStore store(bench.place("store"));
  SharedRoots roots(bench.place("roots"));
  CHECK_THROWS_AS(roots.tree(bench.tree(), bench.tools(store), bench.activity(), {}),
                  oci::Error);
  for (const auto& entry : fs::directory_iterator(bench.place("roots")))
    CHECK(entry.path().extension() == ".lock");
  put(store, large_text());
  const lithify::HeldRoot held =
      roots.tree(bench.tree(), bench.tools(store), bench.activity(), {});
  CHECK(fs::exists(fs::path(held.directories.at(0)) / "f299"));
}

TEST_CASE("who waits for a root that another makes and keeps gets it meanwhile") {
  Bench bench;
  oci::DirectoryStore store(bench.place("store"));
  for (int round = 0; round < 5; ++round) {
    const fs::path place = bench.place("roots") / std::to_string(round);
    std::atomic<int> have = 0;
    const auto keep = [&] {
      SharedRoots roots(place);
      oci::SilentReporter silent;
      oci::Activity activity(silent, "root");
      const lithify::HeldRoot held =
          roots.tree(bench.tree(), bench.tools(store), activity, {});
      ++have;
      for (int wait = 0; have < 2 && wait < 2000; ++wait)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    };
    std::jthread other(keep);
    keep();
    CHECK(have == 2);
  }
}
