// What is laid out before dpkg itself installs packages.
#include "builder/debian/debian_scripted.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"
#include "tests/support/small_deb.h"
#include "tests/support/warnings.h"

namespace lithify {
namespace {

using oci::FileType;
using Files = std::vector<std::pair<std::string, std::string>>;

constexpr std::int64_t k_time = 315532800;

struct Bench {
  oci::MemoryStore store;
  testing::Warnings warnings;
  DebianSet set = {0, {}, "amd64"};
  std::vector<Tree> archives = {};

  void add(const std::string& name, const std::string& fields, const Files& files,
           const std::string& architecture = "amd64") {
    const std::string control = fmt::format(
        "Package: {}\nVersion: 1\nArchitecture: {}\n{}", name, architecture, fields);
    set.packages.push_back(fmt::format("{}:{}=1", name, architecture));
    archives.push_back(file(name + ".deb", testing::small_deb(control, files)));
  }
  Tree file(const std::string& path, const std::string& text) {
    Node node;
    const oci::BlobRef blob = oci::put(store, text);
    node.content = Slice{blob, 0, blob.size};
    Tree::Nodes nodes;
    add_implied_parents(nodes, path, k_time);
    nodes.emplace(path, std::move(node));
    return Tree(std::move(nodes));
  }
  // All that dpkg looks for, in one package.
  void add_essential() {
    add("all", "Essential: yes\nDepends: lib\n",
        {{"bin/grep", ""},
         {"bin/rm", ""},
         {"bin/sed", ""},
         {"bin/sh", "shell"},
         {"bin/tar", ""},
         {"sbin/ldconfig", ""},
         {"usr/bin/diff", ""},
         {"usr/bin/perl", ""}});
    add("dpkg", "", {{"usr/bin/dpkg", "d"}});
    add("lib", "", {{"usr/lib/lib.so", "l"}});
    add("web", "Pre-Depends: lib\n", {{"srv/web", "w"}}, "all");
  }
  Tree bootstrap(const Tree& below = {}) {
    oci::Activity activity(warnings, "test");
    return bootstrap_debian(set, archives, below,
                            {store, activity, k_time, k_time + 5, {}});
  }
  Tree arrange(const Tree& below = {}) {
    oci::Activity activity(warnings, "test");
    return arrange_debian(set, archives, below,
                          {store, activity, k_time, k_time + 5, {}});
  }
  std::string text(const Tree& tree, std::string_view path) {
    const Node* node = tree.find(path);
    if (node == nullptr || !node->content) return "(none)";
    return oci::read_all(*open_content(*node->content, store), 1 << 20, path);
  }
};

}  // namespace

TEST_CASE("an empty root gets what dpkg needs, and nothing of other packages") {
  Bench bench;
  bench.add_essential();
  const Tree tree = bench.bootstrap();
  CHECK(bench.text(tree, "usr/bin/sh") == "shell");
  CHECK(tree.find("bin")->link == "usr/bin");
  CHECK(tree.find("lib64")->link == "usr/lib64");
  CHECK(tree.find("usr/lib/lib.so") != nullptr);
  CHECK(tree.find("srv/web") == nullptr);
  CHECK(bench.text(tree, "var/lib/dpkg/status").empty());
  for (const auto& [path, node] : tree.nodes())
    CHECK(node.attributes.mtime == k_time);
}

TEST_CASE("where dpkg is below nothing is laid out") {
  Bench bench;
  bench.add("web", "", {{"srv/web", "w"}});
  const Tree below = bench.file("usr/bin/dpkg", "d");
  CHECK(bench.bootstrap(below).nodes().empty());
  CHECK(bench.text(bench.arrange(below), "order") ==
        "--no-triggers --unpack ./web_amd64.deb\n");
}

TEST_CASE("what dpkg lacks is said") {
  Bench bench;
  bench.add("sed", "Essential: yes\n", {{"bin/sed", ""}, {"bin/sh", ""}});
  try {
    bench.bootstrap();
    FAIL("nothing was thrown");
  } catch (const oci::Error& error) {
    CHECK(std::string(error.what()) ==
          "maintainer scripts cannot run without coreutils, diffutils, dpkg, grep, "
          "libc-bin, perl-base, tar");
  }
}

TEST_CASE("archives lie beside the order in which dpkg gets them") {
  Bench bench;
  bench.add_essential();
  bench.add("old", "Multi-Arch: same\n", {{"usr/lib/i386/old", "o"}}, "i386");
  const Tree tree = bench.arrange();
  CHECK(bench.text(tree, "order") ==
        "--force-depends --install ./lib_amd64.deb ./all_amd64.deb ./dpkg_amd64.deb\n"
        "--add-architecture i386\n"
        "--no-triggers --unpack ./old_i386.deb ./web_all.deb\n");
  CHECK(tree.find("policy-rc.d")->attributes.mode == 0755);
  CHECK(tree.find("web_all.deb") != nullptr);
  CHECK(tree.find("")->type == FileType::directory);
}

TEST_CASE("what is installed in the same version is left as it is") {
  Bench bench;
  bench.add("here", "", {});
  bench.add("older", "", {});
  bench.add("removed", "", {});
  const std::string paragraph =
      "Package: {}\nStatus: {}\nArchitecture: amd64\nVersion: {}\n\n";
  const std::vector<Tree> below = {
      bench.file("usr/bin/dpkg", "d"),
      bench.file(
          "var/lib/dpkg/status",
          fmt::format(fmt::runtime(paragraph), "here", "install ok installed", 1) +
              fmt::format(fmt::runtime(paragraph), "older", "install ok installed", 0) +
              fmt::format(fmt::runtime(paragraph), "removed", "deinstall ok config-files",
                          1))};
  CHECK(bench.text(bench.arrange(merge(below, false)), "order") ==
        "--no-triggers --unpack ./older_amd64.deb ./removed_amd64.deb\n");
}

TEST_CASE("two changes become one without what is dropped") {
  Bench bench;
  Tree::Nodes removal;
  removal["etc/old"].type = FileType::whiteout;
  const std::vector<Tree> changes = {
      bench.file("usr/share/doc/a/copyright", "first"),
      merge(std::vector<Tree>{bench.file("usr/share/doc/a/copyright", "second"),
                              bench.file("usr/share/doc/a/README", "r"),
                              bench.file("usr/share/doc/b/README", "r"),
                              bench.file("usr/share/doc/c/more/README", "r"),
                              Tree(std::move(removal))},
            true)};
  const Tree below = bench.file("usr/share/doc/b/README", "older");
  const Tree made = drop_packaged({0, 2, {"docs"}, {}}, changes, below);
  CHECK(bench.text(made, "usr/share/doc/a/copyright") == "second");
  CHECK(made.find("usr/share/doc/a/README") == nullptr);
  CHECK(made.find("usr/share/doc/c") == nullptr);
  REQUIRE(made.find("usr/share/doc/b/README") != nullptr);
  CHECK(made.find("usr/share/doc/b/README")->type == FileType::whiteout);
  CHECK(made.find("etc/old")->type == FileType::whiteout);
  const Tree all = drop_packaged({0, 2, {}, {}}, changes, below);
  CHECK(bench.text(all, "usr/share/doc/c/more/README") == "r");
}

}  // namespace lithify
