// unpack: archives and layers as trees of slices.
#include <algorithm>

#include "oci/base/error.h"
#include "oci/layer/archive_digest.h"
#include "oci/layer/layer_writer.h"
#include "oci/store/memory_store.h"

#include "builder/run/edit.h"

#include "tests/oci/layer/hostile_tar.h"
#include "tests/support/catch.h"
#include "tests/support/trees.h"

using lithify::Edit;
using lithify::Step;
using lithify::Tree;
using lithify::testing::shape_of;
using oci::Entry;
using oci::FileType;

namespace {

struct Bench {
  oci::MemoryStore store;
  oci::WorkerPool workers{1};
  oci::LayerWriter writer{store, oci::Compression::zstd, workers};
  Edit edit;

  Bench() { edit.clamp = 2'000'000'000; }

  void directory(const std::string& path, std::uint32_t mode = 0755) {
    add({path, FileType::directory, {mode, 1, 2, 1000, {}}});
  }
  void file(const std::string& path, const std::string& text, std::uint32_t mode = 0644) {
    Entry entry{path, FileType::regular, {mode, 1, 2, 1'700'000'000, {}}};
    entry.size = text.size();
    oci::StringSource content(text);
    writer.add(entry, content);
  }
  void add(const Entry& entry) { writer.add(entry); }
  void link(FileType type, const std::string& path, const std::string& to) {
    Entry entry{path, type, {0644, 0, 0, 0, {}}};
    entry.link = to;
    add(entry);
  }

  Tree unpack_layer() {
    const oci::Layer layer = std::move(writer).finish();
    return perform(lithify::UnpackLayerAction{0, layer.diff_id},
                   {layer.blob.digest, layer.blob.size});
  }
  // What was written, as the blob that the writer made of it.
  oci::BlobRef written() {
    const oci::Layer layer = std::move(writer).finish();
    return {layer.blob.digest, layer.blob.size};
  }
  static Tree input(const oci::BlobRef& blob) {
    lithify::Node archive;
    archive.content = lithify::Slice{blob, 0, blob.size};
    return Tree(Tree::Nodes{{"a.tar.zst", archive}});
  }

  Tree perform(lithify::FileAction action) {
    return perform(std::move(action), written());
  }
  Tree perform(lithify::FileAction action, const oci::BlobRef& blob) {
    edit.actions = {std::move(action)};
    std::vector<Tree> inputs = {input(blob)};
    Step step;
    oci::SilentReporter silent;
    oci::Activity activity(silent, "unpack");
    const Tree tree = perform_edit(step, edit, inputs, store, activity, {});
    CHECK_NOTHROW(check_sound(tree.nodes()));
    return tree;
  }
  std::string text_of(const Tree& tree, std::string_view path) {
    const auto source = open_content(*tree.find(path)->content, store);
    return oci::read_all(*source, 1000, "file");
  }
};

void write_project(Bench& bench) {
  bench.directory("p-1.0", 0700);
  bench.file("p-1.0/README", "read");
  bench.directory("p-1.0/bin");
  bench.file("p-1.0/bin/tool", "tool", 04755);
  bench.link(FileType::hardlink, "p-1.0/bin/tool2", "p-1.0/bin/tool");
  bench.file("p-1.0/empty", "");
  bench.link(FileType::symlink, "p-1.0/link", "../out");
}

}  // namespace

TEST_CASE("an archive is a directory of its members, below what is stripped") {
  Bench bench;
  write_project(bench);
  const Tree tree = bench.perform(lithify::UnpackAction{0, 1, "", "p.tar"});
  CHECK(shape_of(tree) ==
        "d \nf README\nd bin\nf bin/tool\nf bin/tool2\nf empty\nl link=../out\n");
  CHECK(bench.text_of(tree, "README") == "read");
  CHECK(bench.text_of(tree, "bin/tool2") == "tool");
  CHECK(tree.find("bin/tool")->file_id != 0);
  CHECK(tree.find("bin/tool")->file_id == tree.find("bin/tool2")->file_id);
  CHECK(tree.find("bin/tool")->attributes.mode == 0755);
  CHECK(tree.find("README")->attributes.mode == 0644);
  CHECK(tree.find("README")->attributes.uid == 0);
  CHECK(tree.find("README")->attributes.mtime == 1'700'000'000);
}

TEST_CASE("times of archives are clamped") {
  Bench bench;
  bench.edit.clamp = 5000;
  write_project(bench);
  const Tree tree = bench.perform(lithify::UnpackAction{0, 1, "", "p.tar"});
  CHECK(tree.find("README")->attributes.mtime == 5000);
  CHECK(tree.find("bin")->attributes.mtime == 1000);
}

TEST_CASE("a subdirectory of an archive is taken alone") {
  Bench bench;
  write_project(bench);
  const Tree tree = bench.perform(lithify::UnpackAction{0, 1, "/bin/", "p.tar"});
  CHECK(shape_of(tree) == "d \nf tool\nf tool2\n");
}

TEST_CASE("a subdirectory that is not there is an error") {
  Bench bench;
  write_project(bench);
  CHECK_THROWS_AS(bench.perform(lithify::UnpackAction{0, 1, "lib", "p.tar"}), oci::Error);
}

TEST_CASE("a copy with unpack lays the archive's members at its destination") {
  Bench bench;
  write_project(bench);
  lithify::CopyStep what;
  what.paths = {"."};
  what.to = "/opt";
  what.unpack = true;
  what.owner = {8, 9};
  what.exclude = {"**/empty"};
  const Tree tree = bench.perform(lithify::CopyAction{0, what});
  CHECK(shape_of(tree) ==
        "d opt\nd opt/p-1.0\nf opt/p-1.0/README\nd opt/p-1.0/bin\nf opt/p-1.0/bin/tool\n"
        "f opt/p-1.0/bin/tool2\nl opt/p-1.0/link=../out\n");
  CHECK(tree.find("opt/p-1.0/README")->attributes.uid == 8);
}

TEST_CASE("a layer is unpacked as it is, marks included") {
  Bench bench;
  bench.directory("etc", 0711);
  bench.add({"etc/gone", FileType::whiteout, {}});
  bench.file("etc/keep", "text", 04711);
  bench.directory("opt");
  bench.add({"opt", FileType::opaque, {}});
  bench.file("opt/x", "x");
  const Tree tree = bench.unpack_layer();
  CHECK(shape_of(tree) == "d etc\nw etc/gone\nf etc/keep\no opt\nf opt/x\n");
  CHECK(tree.find("etc")->attributes.mode == 0711);
  CHECK(tree.find("etc/keep")->attributes.mode == 04711);
  CHECK(tree.find("etc/keep")->attributes.gid == 2);
  CHECK(bench.text_of(tree, "etc/keep") == "text");
}

TEST_CASE("an archive must be what was said of it") {
  Bench bench;
  write_project(bench);
  const oci::BlobRef blob = bench.written();
  const Tree input = Bench::input(blob);
  const auto reader = oci::read_archive(bench.store.open(blob), "a.tar.zst");
  const oci::Digest content = oci::archive_digest(*reader);
  const auto refusal = [&](lithify::UnpackAction action) -> std::string {
    bench.edit.actions = {std::move(action)};
    oci::SilentReporter silent;
    oci::Activity activity(silent, "unpack");
    try {
      std::vector<Tree> inputs = {input};
      perform_edit(Step{}, bench.edit, inputs, bench.store, activity, {});
    } catch (const oci::Error& error) {
      CHECK(error.code() == oci::Errc::mismatch);
      return error.what();
    }
    return "";
  };
  const oci::Digest other = oci::Digest::of("other");
  CHECK(refusal({0, 1, "", "p.tar", blob.digest, content}).empty());
  CHECK(refusal({0, 1, "", "p.tar", other, {}}) ==
        "p.tar has digest " + blob.digest.hex() + ", the build file says " + other.hex());
  CHECK(refusal({0, 1, "", "p.tar", {}, other}) == "the content of p.tar has digest " +
                                                       content.hex() +
                                                       ", the lock says " + other.hex());
}

TEST_CASE("a layer that unpacks to other bytes than its image says is refused") {
  Bench bench;
  const oci::BlobRef blob = oci::put(
      bench.store, layer_test::raw({.name = "a", .content = "x"}) + layer_test::end());
  try {
    bench.perform(lithify::UnpackLayerAction{0, oci::Digest::of("another")}, blob);
    FAIL("it was unpacked");
  } catch (const oci::Error& error) {
    CHECK(error.code() == oci::Errc::mismatch);
    CHECK(std::string(error.what()).find("but its image says") != std::string::npos);
  }
}

TEST_CASE("a mark never hides what its own layer has, whichever comes first") {
  using layer_test::raw;
  const auto dir = [](const std::string& name) {
    return raw({.name = name, .type = '5'});
  };
  const auto file = [](const std::string& name) {
    return raw({.name = name, .content = "x"});
  };
  const auto shape = [](std::vector<std::string> members) {
    Bench bench;
    std::string shapes;
    for (int turned = 0; turned < 2; ++turned) {
      std::string tar;
      for (const std::string& member : members)
        tar += member;
      tar += layer_test::end();
      const oci::BlobRef blob = oci::put(bench.store, tar);
      const auto tree = bench.perform(lithify::UnpackLayerAction{0, blob.digest}, blob);
      const std::string found = shape_of(tree);
      CHECK((shapes.empty() || shapes == found));
      shapes = found;
      std::reverse(members.begin(), members.end());
    }
    return shapes;
  };
  const std::string gone = raw({.name = ".wh.d"});
  CHECK(shape({gone, file("d")}) == "f d\n");
  CHECK(shape({gone, dir("d/")}) == "o d\n");
  CHECK(shape({gone, file("d/e/f")}) == "o d\ni d/e\nf d/e/f\n");
  CHECK(shape({raw({.name = "d/.wh..wh..opq"}), file("d/f")}) == "o d\nf d/f\n");
  CHECK(shape({gone, raw({.name = "d/.wh..wh..opq"})}) == "o d\n");
  CHECK(shape({gone, raw({.name = "d/.wh.e"})}) == "w d\nw d/e\n");
}
