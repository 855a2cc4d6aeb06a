// edit: file actions on trees.
#include "builder/run/edit.h"

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"
#include "tests/support/trees.h"
#include "tests/support/warnings.h"

using lithify::CopyAction;
using lithify::Edit;
using lithify::FileAction;
using lithify::Step;
using lithify::Tree;
using lithify::testing::shape_of;
using lithify::testing::tree_of;
using lithify::testing::Warnings;

namespace {

// One Edit on one source tree and the trees below.
struct Bench {
  std::unique_ptr<oci::MemoryStore> store = std::make_unique<oci::MemoryStore>();
  Tree source;
  std::vector<Tree> below;
  Edit edit;
  bool on_base = false;
  Warnings warnings;

  Tree run() {
    Step step;
    step.on_base = on_base;
    std::vector<Tree> inputs = {source};
    inputs.insert(inputs.end(), below.begin(), below.end());
    step.below = below.size();
    step.operation = edit;
    oci::Activity activity(warnings, "edit");
    const Tree tree = perform_edit(step, edit, inputs, *store, activity, {});
    CHECK_NOTHROW(check_sound(tree.nodes()));
    return tree;
  }
  std::string shape() { return shape_of(run()); }
  std::string refusal() {
    try {
      run();
    } catch (const oci::Error& e) {
      return e.hint().empty() ? e.what() : std::string(e.what()) + " | " + e.hint();
    }
    return "done";
  }
  Bench& add(FileAction action) {
    edit.actions.push_back(std::move(action));
    return *this;
  }
};

Bench copying(Tree source, lithify::CopyStep what) {
  what.source = "src";
  Bench bench;
  bench.source = std::move(source);
  bench.add(CopyAction{0, std::move(what)});
  return bench;
}

lithify::CopyStep copy_to(std::vector<std::string> paths, std::string to) {
  lithify::CopyStep what;
  what.paths = std::move(paths);
  what.to = std::move(to);
  return what;
}

lithify::CopyStep copy_into(std::vector<std::string> paths, std::string into) {
  lithify::CopyStep what;
  what.paths = std::move(paths);
  what.into = std::move(into);
  return what;
}

Tree project() {
  return tree_of({"d ", "f README.md=r", "d src", "f src/a.c=a", "d src/sub",
                  "f src/sub/b.c=b", "f src/x.tmp=t", "d src-old", "f src-old/c=c",
                  "l link=/etc/passwd", "l cur=src"});
}

}  // namespace

TEST_CASE("`to` makes a directory exactly that path") {
  CHECK(copying(project(), copy_to({"src"}, "/srv/app/")).shape() ==
        "i srv\nd srv/app\nf srv/app/a.c\nd srv/app/sub\nf srv/app/sub/b.c\n"
        "f srv/app/x.tmp\n");
  CHECK(copying(project(), copy_to({"/src/"}, "srv")).shape() ==
        "d srv\nf srv/a.c\nd srv/sub\nf srv/sub/b.c\nf srv/x.tmp\n");
}

TEST_CASE("`into` keeps the name inside") {
  CHECK(copying(project(), copy_into({"src/sub", "README.md"}, "/srv")).shape() ==
        "i srv\nf srv/README.md\nd srv/sub\nf srv/sub/b.c\n");
}

TEST_CASE("all of a source to a directory declares it, to the root declares nothing") {
  const Tree source = tree_of({"d ", "d etc", "f etc/a=1"});
  CHECK(copying(source, copy_to({"."}, "/srv")).shape() ==
        "d srv\nd srv/etc\nf srv/etc/a\n");
  CHECK(copying(source, copy_to({"."}, "/")).shape() == "d etc\nf etc/a\n");
  CHECK(copying(source, copy_into({"."}, "/srv")).shape() ==
        "d srv\nd srv/etc\nf srv/etc/a\n");
}

TEST_CASE("a source that is one file is that file") {
  CHECK(copying(tree_of({"f cert.pem=x"}), copy_to({"."}, "/etc/ca.crt")).shape() ==
        "i etc\nf etc/ca.crt\n");
  CHECK(copying(tree_of({"f cert.pem=x"}), copy_into({"."}, "/etc")).shape() ==
        "i etc\nf etc/cert.pem\n");
  CHECK(copying(tree_of({"d ", "f cert.pem=x"}), copy_to({"."}, "/etc/ssl")).shape() ==
        "i etc\nd etc/ssl\nf etc/ssl/cert.pem\n");
}

TEST_CASE("globs take what they match, directories whole") {
  CHECK(copying(project(), copy_into({"src*"}, "/d")).shape() ==
        "i d\nd d/src\nd d/src-old\nf d/src-old/c\nf d/src/a.c\nd d/src/sub\n"
        "f d/src/sub/b.c\nf d/src/x.tmp\n");
  CHECK(copying(project(), copy_into({"**/*.c"}, "/d")).shape() ==
        "i d\nf d/a.c\nf d/b.c\n");
  lithify::CopyStep keeping = copy_into({"**/*.c"}, "/d");
  keeping.keep_paths = true;
  CHECK(copying(project(), keeping).shape() ==
        "i d\ni d/src\nf d/src/a.c\ni d/src/sub\nf d/src/sub/b.c\n");
}

TEST_CASE("what the layers of an image removed cannot be copied from it") {
  const Tree image = tree_of({"o etc", "w etc/gone", "f etc/here=1", "w gone"});
  CHECK(copying(image, copy_to({"."}, "/x")).shape() == "d x\nd x/etc\nf x/etc/here\n");
  CHECK(copying(image, copy_into({"etc"}, "/x")).shape() ==
        "i x\nd x/etc\nf x/etc/here\n");
  CHECK(copying(image, copy_into({"etc/*"}, "/x")).shape() == "i x\nf x/here\n");
  for (const char* path : {"gone", "/etc/gone", "etc/g*"})
    CHECK(copying(image, copy_to({path}, "/x")).refusal() != "done");
}

TEST_CASE("include and exclude speak of paths below the copied directory") {
  lithify::CopyStep what = copy_to({"src"}, "/d");
  what.exclude = {"**/*.tmp"};
  CHECK(copying(project(), what).shape() == "d d\nf d/a.c\nd d/sub\nf d/sub/b.c\n");
  what.include = {"sub/*.c"};
  CHECK(copying(project(), what).shape() == "d d\nd d/sub\nf d/sub/b.c\n");
  lithify::CopyStep all = copy_to({"."}, "/d");
  all.include = {"src/**"};
  all.exclude = {"src/sub/**"};
  CHECK(copying(project(), all).shape() == "d d\nd d/src\nf d/src/a.c\nf d/src/x.tmp\n");
}

TEST_CASE("symlinks are copied, not followed, but paths may lead through them") {
  CHECK(copying(project(), copy_into({"link"}, "/d")).shape() ==
        "i d\nl d/link=/etc/passwd\n");
  CHECK(copying(project(), copy_into({"cur/a.c"}, "/d")).shape() == "i d\nf d/a.c\n");
  CHECK(copying(project(), copy_into({"link/x"}, "/d")).refusal().find("is not in") !=
        std::string::npos);
}

TEST_CASE("owners and modes are the copy's own") {
  Tree::Nodes nodes = project().nodes();
  nodes.at("src/a.c").attributes.mode = 04755;
  nodes.at("src/a.c").attributes.uid = 7;
  lithify::CopyStep what = copy_to({"src"}, "/d");
  what.owner = {10, 20};
  const Tree plain = copying(Tree(nodes), what).run();
  CHECK(plain.find("d/a.c")->attributes.mode == 0755);
  CHECK(plain.find("d/a.c")->attributes.uid == 10);
  CHECK(plain.find("d")->attributes.gid == 20);
  CHECK(plain.find("d")->attributes.mode == 0755);
  what.mode = 0400;
  what.dir_mode = 0700;
  const Tree strict = copying(Tree(nodes), what).run();
  CHECK(strict.find("d/a.c")->attributes.mode == 0400);
  CHECK(strict.find("d/sub")->attributes.mode == 0700);
}

TEST_CASE("an include that takes nothing is told") {
  lithify::CopyStep what = copy_to({"a"}, "/x");
  what.include = {"*.h"};
  Bench bench = copying(tree_of({"d a", "f a/a.c=1"}), what);
  CHECK(bench.run().find("x/a.c") == nullptr);
  CHECK(bench.warnings.all == std::vector<std::string>{"`include` takes nothing of src"});
  what.include = {"*.c"};
  Bench other = copying(tree_of({"d a", "f a/a.c=1"}), what);
  CHECK(other.run().find("x/a.c") != nullptr);
  CHECK(other.warnings.all.empty());
}

TEST_CASE("packaged times are kept up to the clamp, all others are the step's") {
  Tree::Nodes nodes = tree_of({"f a=1", "f b=2", "f c=3"}).nodes();
  nodes.at("b").attributes.mtime = 1000;
  nodes.at("c").attributes.mtime = 9'000'000'000;
  Bench bench = copying(Tree(nodes), copy_into({"*"}, "/"));
  bench.edit.mtime = 500'000'000;
  bench.edit.clamp = 600'000'000;
  const Tree tree = bench.run();
  CHECK(tree.find("a")->attributes.mtime == 500'000'000);
  CHECK(tree.find("b")->attributes.mtime == 1000);
  CHECK(tree.find("c")->attributes.mtime == 600'000'000);
}

TEST_CASE("a file copied twice is two files, its names in one copy stay one") {
  Tree::Nodes nodes = tree_of({"d a", "f a/1=x", "f a/2=x"}).nodes();
  nodes.at("a/1").file_id = nodes.at("a/2").file_id = 5;
  Bench bench = copying(Tree(nodes), copy_to({"a"}, "/x"));
  bench.add(CopyAction{0, copy_to({"a"}, "/y")});
  const Tree tree = bench.run();
  CHECK(tree.find("x/1")->file_id == tree.find("x/2")->file_id);
  CHECK(tree.find("x/1")->file_id != tree.find("y/1")->file_id);
}

TEST_CASE("what cannot be copied is refused in the user's words") {
  CHECK(copying(project(), copy_to({"REDAME.md"}, "/d")).refusal() ==
        "\"REDAME.md\" is not in the source src | did you mean \"README.md\"?");
  CHECK(copying(project(), copy_into({"*.md5"}, "/d")).refusal() ==
        "\"*.md5\" matches nothing in the source src");
  CHECK(copying(project(), copy_to({"src/a.c", "src/sub/b.c"}, "/d")).refusal() ==
        "\"src/a.c\" and \"src/sub/b.c\" would both become /d | use `into` instead of "
        "`to`");
  CHECK(copying(project(), copy_to({"README.md"}, "/")).refusal() ==
        "\"README.md\" is a file and cannot become the root directory");
  CHECK(copying(project(), copy_to({"src", "README.md"}, "/d")).refusal() ==
        "/d would be a directory and a file at once");
  CHECK(copying(project(), copy_to({"../x"}, "/d")).refusal() != "done");
  CHECK(copying(project(), copy_to({"src"}, "/a/../d")).refusal() != "done");
  lithify::CopyStep unpack = copy_to({"src"}, "/d");
  unpack.unpack = true;
  CHECK(copying(project(), unpack).refusal() ==
        "`unpack: true` wants archives, but \"src\" is a directory");
}

TEST_CASE("what no layer can hold is refused by its name, wherever it comes from") {
  const Tree marks = tree_of({"d ", "f a=1", "d sub", "f sub/.wh.a=1"});
  CHECK(copying(marks, copy_to({"."}, "/srv")).refusal() ==
        "the path \"/srv/sub/.wh.a\" begins a name with \".wh.\", which means a deletion "
        "in an image");
  CHECK(copying(marks, copy_to({"a"}, "/srv/a")).refusal() == "done");
  lithify::CopyStep all = copy_to({"."}, "/srv");
  all.exclude = {"**/.wh.*"};
  CHECK(copying(marks, all).refusal() == "done");
  std::string deep;
  for (int i = 0; i < 257; ++i)
    deep += "/d";
  lithify::FileStep what;
  what.path = deep;
  const std::string refusal = Bench().add(lithify::WriteAction{what}).refusal();
  CHECK(refusal.find("has more than 256 components") != std::string::npos);
}

TEST_CASE("files, directories and symlinks are made with their parents implied") {
  Bench bench;
  lithify::FileStep file;
  file.path = "/etc/app/conf";
  file.text = "text";
  file.owner = {1, 2};
  file.mode = 0600;
  bench.add(lithify::WriteAction{file});
  bench.add(lithify::MakeDirectoryAction{{"/etc/app", {3, 4}, 0750}});
  bench.add(lithify::SymlinkAction{{"/bin/sh", "bash", {}}});
  const Tree tree = bench.run();
  CHECK(shape_of(tree) == "i bin\nl bin/sh=bash\ni etc\nd etc/app\nf etc/app/conf\n");
  CHECK(tree.find("etc/app/conf")->attributes.mode == 0600);
  CHECK(tree.find("etc/app/conf")->attributes.gid == 2);
  CHECK(tree.find("etc/app")->attributes.mode == 0750);
  const auto text = open_content(*tree.find("etc/app/conf")->content, *bench.store);
  CHECK(oci::read_all(*text, 10, "file") == "text");
}

TEST_CASE("removals are whiteouts of what exists, and the uppermost only") {
  Bench bench;
  bench.below = {tree_of({"d usr", "d usr/doc", "f usr/doc/a=1", "f usr/b.pyc=2"}),
                 tree_of({"i usr", "f usr/c.pyc=3", "w usr/doc/a"})};
  bench.add(lithify::RemoveAction{
      {{"/usr/doc/**", "/usr/doc", "/nowhere", "**/*.pyc", "/usr/doc/a"}}});
  CHECK(bench.shape() == "w usr/b.pyc\nw usr/c.pyc\nw usr/doc\n");
}

TEST_CASE("an action sees what the earlier ones made") {
  Bench bench;
  bench.add(lithify::WriteAction{{"/a/x", "1", {}, 0644}});
  bench.add(lithify::WriteAction{{"/a/y", "2", {}, 0644}});
  bench.add(lithify::RemoveAction{{{"/a/x"}}});
  CHECK(bench.shape() == "i a\nw a/x\nf a/y\n");
}

TEST_CASE("attributes change on what the globs match") {
  Bench bench;
  bench.below = {tree_of({"d srv", "f srv/a=1", "d srv/d", "l srv/l=a", "f other=2"})};
  lithify::AttrsStep what;
  what.globs = {"/srv/**"};
  what.owner = lithify::Owner{5, 6};
  what.mode = 0440;
  what.xattrs = {{"user.k", "v"}};
  bench.add(lithify::SetAttributesAction{what});
  const Tree tree = bench.run();
  CHECK(shape_of(tree) == "i srv\nf srv/a\nd srv/d\nl srv/l=a\n");
  CHECK(tree.find("srv/a")->attributes.mode == 0440);
  CHECK(tree.find("srv/a")->attributes.uid == 5);
  CHECK(tree.find("srv/a")->attributes.xattrs.at("user.k") == "v");
  CHECK(tree.find("srv/d")->attributes.mode == 0755);
  CHECK(tree.find("srv/l")->attributes.gid == 6);
}

TEST_CASE("a directory that is named takes `mode` where it has no `dir-mode`") {
  Bench bench;
  bench.below = {tree_of({"d tmp"})};
  lithify::AttrsStep what;
  what.globs = {"/tmp"};
  what.mode = 01777;
  bench.add(lithify::SetAttributesAction{what});
  CHECK(bench.run().find("tmp")->attributes.mode == 01777);
  bench.edit.actions.clear();
  what.globs = {"/tpm"};
  bench.add(lithify::SetAttributesAction{what});
  CHECK(bench.refusal() == "/tpm is not in the image | did you mean \"/tmp\"?");
}

TEST_CASE("removals and attributes reach through symlinks above what they name") {
  Bench bench;
  bench.below = {
      tree_of({"l bin=usr/bin", "d usr", "d usr/bin", "f usr/bin/a=1", "f usr/bin/b=2"})};
  lithify::AttrsStep what;
  what.globs = {"/bin/b"};
  what.mode = 0700;
  bench.add(lithify::RemoveAction{{{"/bin/a*"}}});
  bench.add(lithify::SetAttributesAction{what});
  CHECK(bench.shape() == "i usr\ni usr/bin\nw usr/bin/a\nf usr/bin/b\n");
  SECTION("a symlink that is named itself is not followed") {
    bench.edit.actions = {lithify::RemoveAction{{{"/bin"}}}};
    CHECK(bench.shape() == "w bin\n");
  }
}

TEST_CASE("a removal of nothing warns with its place") {
  struct Listener final : oci::ProgressReporter {
    std::string told;
    void started(oci::ActivityId, oci::ActivityId, std::string_view) noexcept override {}
    void advanced(oci::ActivityId, std::uint64_t, std::uint64_t) noexcept override {}
    void output(oci::ActivityId, std::string_view) noexcept override {}
    void warned(oci::ActivityId, std::string_view text) noexcept override { told = text; }
    void ended(oci::ActivityId, oci::Outcome) noexcept override {}
  } listener;
  oci::MemoryStore store;
  oci::Activity activity(listener, "edit");
  Step step;
  step.place = {"lithify.yaml", 7};
  const Edit edit{{lithify::RemoveAction{{{"/a"}}}}};
  perform_edit(step, edit, {}, store, activity, {});
  CHECK(listener.told == "lithify.yaml:7: /a is not there to be removed");
}

TEST_CASE("on a base whose layers are reused, changes are seen as layers lie") {
  Bench bench;
  bench.below = {tree_of({"l lib=usr/lib", "d usr", "d usr/lib", "f usr/lib/a=1"}),
                 tree_of({"d lib", "f lib/b=2"})};
  bench.add(lithify::RemoveAction{{{"**/b"}}});
  CHECK(bench.shape() == "w usr/lib/b\n");
  bench.on_base = true;
  CHECK(bench.shape() == "w lib/b\n");
}
