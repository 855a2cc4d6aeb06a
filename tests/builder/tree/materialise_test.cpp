// materialise: trees as files on disk.
#include "builder/tree/materialise.h"

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

namespace fs = std::filesystem;
using lithify::Node;
using lithify::Tree;
using lithify::testing::tree_of;

namespace {

struct Bench {
  TemporaryDirectory directory;
  fs::path root = directory.path() / "rootfs";
  oci::MemoryStore store;

  lithify::Unmade materialise(const Tree& tree) {
    oci::SilentReporter silent;
    oci::Activity activity(silent, "rootfs");
    return lithify::materialise(tree, root, {store}, activity);
  }
  struct stat look(const std::string& path) const {
    struct stat info {};
    REQUIRE(::lstat((root / path).c_str(), &info) == 0);
    return info;
  }
};

}  // namespace

TEST_CASE("a tree becomes files with its modes and times, whatever the umask") {
  Bench bench;
  oci::put(bench.store, "text");
  Tree::Nodes nodes =
      tree_of({"d ", "d a", "f a/f=text", "d a/locked", "f a/locked/g=", "l a/l=../x"})
          .nodes();
  nodes.at("a/f").attributes.mode = 04751;
  nodes.at("a/f").attributes.mtime = 1'000'000;
  nodes.at("a/locked").attributes.mode = 0555;
  nodes.at("a/locked/g").content.reset();
  nodes.at("").attributes.mode = 0711;
  const mode_t before = ::umask(077);
  CHECK(bench.materialise(Tree(nodes)).empty());
  ::umask(before);
  CHECK(oci::read_file(bench.root / "a/f", 100) == "text");
  CHECK((bench.look("a/f").st_mode & 07777) == 04751);
  CHECK(bench.look("a/f").st_mtime == 1'000'000);
  CHECK((bench.look("a/locked").st_mode & 07777) == 0555);
  CHECK(bench.look("a/locked").st_mtime == lithify::k_constant_time);
  CHECK(bench.look("a").st_mtime == lithify::k_constant_time);
  CHECK((bench.look(".").st_mode & 07777) == 0711);
  CHECK(bench.look("a/locked/g").st_size == 0);
  CHECK(fs::read_symlink(bench.root / "a/l") == "../x");
  CHECK(bench.look("a/l").st_mtime == lithify::k_constant_time);
  fs::permissions(bench.root / "a/locked", fs::perms::owner_all);
}

TEST_CASE("names of one file are hard links, until they differ") {
  Bench bench;
  oci::put(bench.store, "text");
  Tree::Nodes nodes = tree_of({"d a", "f a/1=text", "f b=text", "f c=text"}).nodes();
  for (const char* const path : {"a/1", "b", "c"})
    nodes.at(path).file_id = 7;
  nodes.at("c").attributes.mode = 0600;
  bench.materialise(Tree(nodes));
  CHECK(bench.look("a/1").st_ino == bench.look("b").st_ino);
  CHECK(bench.look("a/1").st_ino != bench.look("c").st_ino);
}

TEST_CASE("what the user may not make is listed") {
  Bench bench;
  Node device;
  device.type = oci::FileType::char_device;
  Node fifo;
  fifo.type = oci::FileType::fifo;
  fifo.attributes.mode = 0622;
  CHECK(bench.materialise(Tree(Tree::Nodes{{"null", device}, {"pipe", fifo}})) ==
        lithify::Unmade{"null: a device"});
  CHECK((bench.look("pipe").st_mode & 07777) == 0622);
}

TEST_CASE("a directory that is not empty is left alone") {
  Bench bench;
  fs::create_directories(bench.root / "old");
  CHECK_THROWS_AS(bench.materialise(tree_of({"d new"})), oci::Error);
  CHECK_FALSE(fs::exists(bench.root / "new"));
}

TEST_CASE("marks are no files") {
  Bench bench;
  CHECK_THROWS_AS(bench.materialise(tree_of({"w gone"})), oci::Error);
}
