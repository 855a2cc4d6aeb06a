// tree: values, digests, texts and symlinks.
#include "builder/tree/tree.h"

#include <chrono>
#include <random>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/tree_text.h"

#include "tests/support/catch.h"
#include "tests/support/trees.h"

using lithify::LocalFile;
using lithify::Node;
using lithify::Slice;
using lithify::Tree;
using lithify::testing::shape_of;
using lithify::testing::tree_of;
using oci::Digest;
using oci::FileType;

namespace {

std::string random_name(std::mt19937& random) {
  std::string name;
  const unsigned length = 1 + random() % 12;
  while (name.size() < length) {
    const char c = static_cast<char>(1 + random() % 255);
    if (c != '/') name += c;
  }
  return name == "." || name == ".." ? "dots" : name;
}

Node random_node(std::mt19937& random) {
  static const FileType k_types[] = {FileType::regular, FileType::directory,
                                     FileType::symlink, FileType::char_device,
                                     FileType::fifo,    FileType::opaque};
  Node node;
  node.type = k_types[random() % 6];
  node.attributes.mode = random() & 07777;
  node.attributes.uid = random();
  node.attributes.gid = random() % 3;
  node.attributes.mtime = static_cast<std::int32_t>(random());
  if (random() % 3 == 0) {
    node.attributes.xattrs["user." + random_name(random)] = random_name(random) + '\0';
    node.attributes.xattrs["security.capability"] = "";
  }
  if (node.type == FileType::regular && random() % 4 != 0) {
    const Digest digest = Digest::of(random_name(random));
    node.content = Slice{{digest, 1000}, random() % 500, random() % 500};
  }
  if (node.type == FileType::regular) node.file_id = random() % 2 * random();
  if (node.type == FileType::symlink) node.link = "/" + random_name(random);
  if (node.type == FileType::char_device) node.device_minor = random();
  node.implied = node.type == FileType::directory && random() % 2 == 0;
  if (random() % 2 == 0) node.origin = random_name(random);
  return node;
}

Tree random_tree(unsigned seed) {
  std::mt19937 random(seed);
  Tree::Nodes nodes;
  std::vector<std::string> directories = {""};
  for (int i = 0; i < 60; ++i) {
    const std::string& above = directories[random() % directories.size()];
    const std::string path =
        above.empty() ? random_name(random) : above + "/" + random_name(random);
    if (nodes.count(path) != 0) continue;
    Node node = random_node(random);
    if (lithify::is_directory(node)) directories.push_back(path);
    nodes.emplace(path, std::move(node));
  }
  return Tree(std::move(nodes));
}

std::string refusal(const std::string& lines) {
  try {
    Tree::from_text("lithify-tree 1\n" + lines);
  } catch (const oci::Error& e) {
    CHECK(e.code() == oci::Errc::bad_input);
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a tree is read back from its own text, whatever its bytes") {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const Tree tree = random_tree(seed);
    const Tree back = Tree::from_text(tree.to_text());
    CHECK(back.nodes() == tree.nodes());
    CHECK(back.to_text() == tree.to_text());
    CHECK(back.digest() == tree.digest());
  }
}

TEST_CASE("a stored text is a tree like the one it was written of") {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const Tree tree = random_tree(seed);
    const Tree stored = Tree::from_stored(tree.to_text(), tree.digest());
    const Tree copy = stored;
    CHECK(stored.digest() == tree.digest());
    CHECK_FALSE(stored.has_local_files());
    CHECK(copy.nodes() == tree.nodes());
    CHECK(&copy.nodes() == &stored.nodes());
    CHECK(Tree(stored).take_nodes() == tree.nodes());
    CHECK(Tree::from_stored(tree.to_text(), tree.digest()).take_nodes() == tree.nodes());
  }
}

TEST_CASE("what is wrong in a stored text is said when its nodes are asked for") {
  const Tree stored = Tree::from_stored("lithify-tree 1\nq a\n", Digest::of("q"));
  CHECK(stored.digest() == Digest::of("q"));
  CHECK_THROWS_AS(stored.nodes(), oci::Error);
  CHECK_THROWS_AS(stored.nodes(), oci::Error);
}

TEST_CASE("the blobs of a tree are found in its text") {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const Tree tree = random_tree(seed);
    std::set<Digest> expected;
    for (const auto& [path, node] : tree.nodes()) {
      if (node.content) expected.insert(std::get<Slice>(*node.content).blob.digest);
    }
    const auto found = lithify::blobs_of_tree_text(tree.to_text());
    CHECK(std::set<Digest>(found.begin(), found.end()) == expected);
    CHECK(found.size() == expected.size());
  }
  CHECK(lithify::blobs_of_tree_text("lithify-tree 1\n").empty());
  CHECK_THROWS_AS(lithify::blobs_of_tree_text("lithify-tree 1\nf a blob=12"), oci::Error);
  CHECK_THROWS_AS(lithify::blobs_of_tree_text("f a\n"), oci::Error);
}

TEST_CASE("the text of a tree is fixed") {
  Tree::Nodes nodes =
      tree_of({"d ", "i usr", "f usr/a b=hi", "l usr/l=../x", "w usr/w"}).nodes();
  nodes.at("usr/a b").origin = "bash";
  nodes.at("usr/a b").file_id = 255;
  nodes.at("usr/a b").attributes.xattrs["user.k"] = "a=b";
  CHECK(Tree(nodes).to_text() ==
        "lithify-tree 1\n"
        "d . 755 0 0 315532800\n"
        "d usr 755 0 0 315532800 implied\n"
        "f usr/a%20b 644 0 0 315532800 blob=" +
            Digest::of("hi").hex() +
            ":2:0:2 id=ff origin=bash x:user.k=a%3Db\n"
            "l usr/l 777 0 0 315532800 link=../x\n"
            "w usr/w\n");
}

TEST_CASE("a local file's place is not in the digest, its content is") {
  const auto with = [](const std::string& path, const std::string& text) {
    Node node;
    node.content = LocalFile{std::string_view(path), text.size(), Digest::of(text)};
    return Tree(Tree::Nodes{{"a", node}});
  };
  CHECK(with("/here/a", "x").digest() == with("/there/a", "x").digest());
  CHECK(with("/here/a", "x").digest() != with("/here/a", "y").digest());
  CHECK(with("/here/a", "x").has_local_files());
  CHECK_FALSE(tree_of({"f a=x"}).has_local_files());
  CHECK_THROWS_AS(with("/here/a", "x").to_text(), oci::Error);
}

TEST_CASE("hostile tree texts are refused") {
  const std::string hex = Digest::of("x").hex();
  CHECK_THROWS_AS(Tree::from_text(""), oci::Error);
  CHECK_THROWS_AS(Tree::from_text("lithify-tree 2\n"), oci::Error);
  CHECK(refusal("d a 755 0 0 0\n") == "accepted");
  for (const char* const lines : {"d a 755 0 0 0",
                                  "d a 755 0 0\n",
                                  "d a 755 0 0 0 \n",
                                  "d a  755 0 0 0\n",
                                  "d a 0755 0 0 0\n",
                                  "d a 10000 0 0 0\n",
                                  "d a 755 4294967296 0 0\n",
                                  "d a 755 0 0 -0\n",
                                  "d a 755 0 0 01\n",
                                  "d a 755 0 0 9999999999999999999\n",
                                  "x a 755 0 0 0\n",
                                  "d a 755 0 0 0 implied implied\n",
                                  "d a 755 0 0 0 what\n",
                                  "d a/b 755 0 0 0\n",
                                  "f a 644 0 0 0\nf a/b 644 0 0 0\n",
                                  "f b 644 0 0 0\nf a 644 0 0 0\n",
                                  "f a 644 0 0 0\nf a 644 0 0 0\n",
                                  "d a/../b 755 0 0 0\n",
                                  "d /a 755 0 0 0\n",
                                  "d a/ 755 0 0 0\n",
                                  "d .. 755 0 0 0\n",
                                  "f . 644 0 0 0\n",
                                  "l a 777 0 0 0\n",
                                  "l a 777 0 0 0 link=\n",
                                  "d a%41 755 0 0 0\n",
                                  "d a%2 755 0 0 0\n",
                                  "d a%2f 755 0 0 0\n",
                                  "d a%00 755 0 0 0\n",
                                  "c a 644 0 0 0\n",
                                  "c a 644 0 0 0 dev=1\n",
                                  "f a 644 0 0 0 id=0\n",
                                  "f a 644 0 0 0 x:b=1 x:a=2\n",
                                  "\n",
                                  "w a 644 0 0 0\n"}) {
    INFO(lines);
    CHECK(refusal(lines) != "accepted");
  }
  CHECK(refusal("f a 644 0 0 0 blob=" + hex + ":10:5:5\n") == "accepted");
  CHECK(refusal("f a 644 0 0 0 blob=" + hex + ":10:5:6\n") != "accepted");
  CHECK(refusal("f a 644 0 0 0 blob=" + hex + ":10:11:0\n") != "accepted");
  CHECK(refusal("f a 644 0 0 0 file=" + hex + ":10\n") != "accepted");
  std::string deep = "d a 755 0 0 0\n";
  std::string path = "a";
  for (int i = 0; i < 256; ++i)
    deep += "d " + (path += "/a") + " 755 0 0 0\n";
  CHECK(refusal(deep) != "accepted");
}

TEST_CASE("symlinks are followed inside the tree and no further") {
  const Tree tree =
      tree_of({"d a", "f a/f=1", "l abs=/a", "l up=../../../a", "l loop=loop",
               "l chain=abs/f", "l out=/nowhere", "d d", "l d/rel=../a/./f"});
  CHECK(tree.resolve("a/f") == "a/f");
  CHECK(tree.resolve("abs/f") == "a/f");
  CHECK(tree.resolve("up/f") == "a/f");
  CHECK(tree.resolve("chain") == "a/f");
  CHECK(tree.resolve("d/rel") == "a/f");
  CHECK(tree.resolve("") == "");
  CHECK_FALSE(tree.resolve("loop").has_value());
  CHECK_FALSE(tree.resolve("out").has_value());
  CHECK_FALSE(tree.resolve("a/f/x").has_value());
  CHECK_FALSE(tree.resolve("b").has_value());
}

TEST_CASE("implied parents are added where they are missing") {
  Tree::Nodes nodes = tree_of({"d a"}).nodes();
  lithify::add_implied_parents(nodes, "a/b/c/d", 7);
  CHECK(shape_of(Tree(nodes)) == "d a\ni a/b\ni a/b/c\n");
  CHECK(nodes.at("a/b").attributes.mtime == 7);
}

TEST_CASE("unsound trees are noticed") {
  CHECK_NOTHROW(check_sound(tree_of({"d a", "f a/b=1", "w x/y"}).nodes()));
  CHECK_THROWS_AS(check_sound(tree_of({"f a/b=1"}).nodes()), oci::Error);
  CHECK_THROWS_AS(check_sound(tree_of({"f a=1", "f a/b=1"}).nodes()), oci::Error);
  CHECK_THROWS_AS(check_sound(tree_of({"d a/.."}).nodes()), oci::Error);
}

TEST_CASE("large trees", "[.bench]") {
  Tree::Nodes nodes;
  for (int i = 0; i < 62'000; ++i) {
    Node node;
    const std::string path =
        fmt::format("usr/share/app/module-{:03}/file-{}", i / 100, i);
    node.content = LocalFile{std::string_view("/home/me/" + path), 100, Digest::of(path)};
    lithify::add_implied_parents(nodes, path, 0);
    nodes.emplace(path, std::move(node));
  }
  const auto time = [](const char* what, auto body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double, std::milli> took =
        std::chrono::steady_clock::now() - start;
    WARN(what << ": " << took.count() << " ms");
  };
  time("copy", [&] { Tree::Nodes other = nodes; });
  const Tree tree{nodes};
  time("digest", [&] { (void)tree.digest(); });
  time("merge", [&] { (void)merge(tree, tree_of({"i usr", "f usr/x=1"}), false); });
  time("merge onto nothing", [&] { (void)merge(Tree(), tree, false); });
  for (auto& [path, node] : nodes)
    if (node.content) node.content = Slice{{Digest::of(path), 100}, 0, 100};
  std::string text;
  time("to_text", [&] { text = Tree(nodes).to_text(); });
  time("from_text", [&] { (void)Tree::from_text(text); });
}
