// merge: changes laid over trees.
#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/trees.h"

using lithify::merge;
using lithify::Tree;
using lithify::testing::shape_of;
using lithify::testing::tree_of;

TEST_CASE("a directory over a directory keeps what is in it, a file replaces") {
  const Tree below = tree_of({"d a", "f a/x=1", "d a/sub", "f a/sub/y=2", "f a-b=3"});
  const Tree change = tree_of({"d a", "f a/sub=now a file", "f a/z=4"});
  const Tree both = merge(below, change, false);
  CHECK(shape_of(both) == "d a\nf a-b\nf a/sub\nf a/x\nf a/z\n");
}

TEST_CASE("a declared directory gives its attributes, an implied one does not") {
  Tree::Nodes nodes = tree_of({"d tmp"}).nodes();
  nodes.at("tmp").attributes.mode = 01777;
  const Tree below{nodes};
  const Tree implied = merge(below, tree_of({"i tmp", "f tmp/a=1"}), false);
  CHECK(implied.find("tmp")->attributes.mode == 01777);
  CHECK_FALSE(implied.find("tmp")->implied);
  const Tree declared = merge(below, tree_of({"d tmp"}), false);
  CHECK(declared.find("tmp")->attributes.mode == 0755);
}

TEST_CASE("whiteouts take away a path and all below it, and its neighbours stay") {
  const Tree below = tree_of({"d a", "d a/b", "f a/b/c=1", "f a/b-c=2", "f a/b.c=3"});
  CHECK(shape_of(merge(below, tree_of({"w a/b"}), false)) == "d a\nf a/b-c\nf a/b.c\n");
  CHECK(shape_of(merge(below, tree_of({"w a/b"}), true)) ==
        "d a\nw a/b\nf a/b-c\nf a/b.c\n");
}

TEST_CASE("a whiteout of what is not there leaves no trace in a full tree") {
  CHECK(shape_of(merge(tree_of({"f a=1"}), tree_of({"w b/c"}), false)) == "f a\n");
}

TEST_CASE("an opaque directory hides what was in it") {
  const Tree below = tree_of({"d a", "f a/x=1"});
  const Tree change = tree_of({"o a", "f a/y=2"});
  CHECK(shape_of(merge(below, change, false)) == "d a\nf a/y\n");
  CHECK(shape_of(merge(below, change, true)) == "o a\nf a/y\n");
}

TEST_CASE("what was removed and made again as a directory stays hidden") {
  const Tree removed = tree_of({"w a"});
  const Tree made = tree_of({"i a", "f a/x=1"});
  const Tree change = merge(removed, made, true);
  CHECK(shape_of(change) == "o a\nf a/x\n");
  CHECK_FALSE(change.find("a")->implied);
  const Tree below = tree_of({"d a", "f a/old=1"});
  CHECK(shape_of(merge(below, change, false)) == "d a\nf a/x\n");
}

TEST_CASE("below an implied directory over a symlink, files go where it leads") {
  const Tree below = tree_of({"l lib=usr/lib", "d usr", "d usr/lib", "f usr/lib/a=1"});
  const Tree change = tree_of({"i lib", "f lib/b=2", "i lib/sub", "f lib/sub/c=3"});
  for (const bool keep : {false, true}) {
    CHECK(shape_of(merge(below, change, keep)) ==
          "l lib=usr/lib\nd usr\nd usr/lib\nf usr/lib/a\nf usr/lib/b\ni usr/lib/sub\n"
          "f usr/lib/sub/c\n");
  }
}

TEST_CASE("a declared directory over a symlink goes where that leads") {
  const Tree below = tree_of({"l lib=usr/lib", "d usr", "d usr/lib", "f usr/lib/a=1"});
  Tree::Nodes nodes = tree_of({"d lib", "d lib/sub", "f lib/sub/b=2"}).nodes();
  nodes.at("lib").attributes.mode = 0700;
  for (const bool keep : {false, true}) {
    const Tree merged = merge(below, Tree(nodes), keep);
    CHECK(shape_of(merged) ==
          "l lib=usr/lib\nd usr\nd usr/lib\nf usr/lib/a\nd usr/lib/sub\n"
          "f usr/lib/sub/b\n");
    CHECK(merged.find("usr/lib")->attributes.mode == 0700);
  }
  SECTION("and so it does where nothing is there yet") {
    CHECK(shape_of(merge(tree_of({"l lib=usr/lib"}), Tree(nodes), false)) ==
          "l lib=usr/lib\ni usr\nd usr/lib\nd usr/lib/sub\nf usr/lib/sub/b\n");
  }
  SECTION("in a layer, and where it is opaque, it replaces the symlink") {
    CHECK(shape_of(merge(below, tree_of({"d lib", "f lib/b=2"}), false,
                         lithify::OnSymlink::replace)) ==
          "d lib\nf lib/b\nd usr\nd usr/lib\nf usr/lib/a\n");
    CHECK(shape_of(merge(below, tree_of({"o lib", "f lib/b=2"}), false)) ==
          "d lib\nf lib/b\nd usr\nd usr/lib\nf usr/lib/a\n");
  }
}

TEST_CASE("a directory over a symlink to a file is refused with both names") {
  const Tree below = tree_of({"l a=b", "f b=1"});
  for (const char* directory : {"d a", "i a"}) {
    try {
      merge(below, tree_of({directory, "f a/x=1"}), false);
      FAIL("nothing was thrown");
    } catch (const oci::Error& error) {
      CHECK(std::string(error.what()) ==
            "/a is a symlink to b, which is no directory, so nothing can be placed below "
            "it");
    }
  }
}

TEST_CASE("redirections may follow each other") {
  const Tree below =
      tree_of({"l a=/b", "d b", "l b/c=../d/e", "d d", "d d/e", "f d/e/old=1"});
  const Tree change = tree_of({"i a", "i a/c", "f a/c/x=1", "f a/y=2", "f a-z=3"});
  CHECK(shape_of(merge(below, change, false)) ==
        "l a=/b\nf a-z\nd b\nl b/c=../d/e\nf b/y\nd d\nd d/e\nf d/e/old\nf d/e/x\n");
}

TEST_CASE("a symlink to a directory that is missing gets one") {
  const Tree below = tree_of({"d var", "l var/run=/run"});
  const Tree change = tree_of({"i var", "i var/run", "f var/run/x=1"});
  CHECK(shape_of(merge(below, change, false)) ==
        "i run\nf run/x\nd var\nl var/run=/run\n");
}

TEST_CASE("nothing can stand below a file or a looping symlink") {
  CHECK_THROWS_AS(merge(tree_of({"f a=1"}), tree_of({"i a", "f a/b=1"}), false),
                  oci::Error);
  CHECK_THROWS_AS(merge(tree_of({"l a=a"}), tree_of({"i a", "f a/b=1"}), false),
                  oci::Error);
}

TEST_CASE("merging changes first or one by one gives the same tree") {
  const Tree base = tree_of({"d a", "f a/1=1", "d b", "f b/2=2", "l c=a", "f e=5"});
  const std::vector<Tree> changes = {
      tree_of({"w b", "i c", "f c/3=3", "w e"}),
      tree_of({"d b", "f b/new=4", "d e", "f e/x=1"}),
      tree_of({"w b/new", "o a", "f a/only=1"}),
  };
  // The symlink is part of the base, so the changes alone cannot know where c leads.
  std::vector<Tree> all = {base};
  all.insert(all.end(), changes.begin(), changes.end());
  const Tree one_by_one =
      merge(merge(merge(base, changes[0], false), changes[1], false), changes[2], false);
  CHECK(shape_of(merge(all, false)) == shape_of(one_by_one));
  const Tree late = merge(changes[1], changes[2], true);
  CHECK(shape_of(merge(merge(base, changes[0], false), late, false)) ==
        shape_of(one_by_one));
}
