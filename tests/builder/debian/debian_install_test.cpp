// Installing unpacked packages: merging, merged /usr, finishers, database, order.
#include "builder/debian/debian_install.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "builder/debian/debian_package.h"
#include "builder/debian/debian_scripts.h"

#include "tests/support/catch.h"
#include "tests/support/warnings.h"

namespace lithify {
namespace {

using oci::FileType;
using testing::Warnings;

constexpr std::int64_t k_time = 315532800;
constexpr std::int64_t k_packed = 1600000000;

// A package as unpack_deb would have made it.
class Package {
 public:
  Package(oci::BlobStore& store, std::string name, const std::string& more = "")
      : store_(&store), name_(std::move(name)) {
    control("control", fmt::format("Package: {}\nVersion: 1\nArchitecture: all\n{}"
                                   "Description: a test\n",
                                   name_, more));
    directory("data", 0755);
  }
  Package& control(const std::string& member, std::string_view text,
                   std::uint32_t mode = 0644) {
    return file("control/" + member, text, mode);
  }
  Package& add(const std::string& path, std::string_view text,
               std::uint32_t mode = 0644) {
    return file("data/" + path, text, mode);
  }
  Package& link(const std::string& path, const std::string& target) {
    Node node = made(FileType::symlink, 0777);
    node.link = target;
    return put("data/" + path, node);
  }
  Package& dir(const std::string& path, std::uint32_t mode, std::uint32_t gid = 0) {
    return directory("data/" + path, mode, gid);
  }
  std::string id() const { return name_ + ":all=1"; }
  Tree tree() const { return Tree(nodes_); }

 private:
  Node made(FileType type, std::uint32_t mode) const {
    Node node;
    node.type = type;
    node.attributes.mode = mode;
    node.attributes.mtime = k_packed;
    node.origin = name_;
    return node;
  }
  Package& directory(const std::string& path, std::uint32_t mode, std::uint32_t gid = 0) {
    Node node = made(FileType::directory, mode);
    node.attributes.gid = gid;
    return put(path, node);
  }
  Package& file(const std::string& path, std::string_view text, std::uint32_t mode) {
    Node node = made(FileType::regular, mode);
    const oci::BlobRef blob = oci::put(*store_, text);
    node.content = Slice{blob, 0, blob.size};
    return put(path, node);
  }
  Package& put(const std::string& path, const Node& node) {
    for (std::size_t at = path.find('/'); at != std::string::npos;
         at = path.find('/', at + 1)) {
      nodes_.emplace(path.substr(0, at), made(FileType::directory, 0755));
    }
    nodes_.insert_or_assign(path, node);
    return *this;
  }

  oci::BlobStore* store_;  // a pointer, so that packages can be shuffled
  std::string name_;
  Tree::Nodes nodes_;
};

struct Bench {
  oci::MemoryStore store;
  Warnings warnings;
  Tree below = {};
  InstallDebianAction action = {};

  Package package(const std::string& name, const std::string& more = "") {
    return Package(store, name, more);
  }
  Tree install(const std::vector<Package>& packages) {
    oci::Activity activity(warnings, "test");
    action.architecture = "amd64";
    action.packages.clear();
    std::vector<Tree> trees;
    for (const Package& one : packages) {
      action.packages.push_back(one.id());
      trees.push_back(one.tree());
    }
    return install_debian(action, trees, below,
                          {store, activity, k_time, k_packed + 5, {}});
  }
  std::string text(const Tree& tree, std::string_view path) {
    const auto place = tree.resolve(path);
    const Node* node = place ? tree.find(*place) : nullptr;
    if (node == nullptr || node->type != FileType::regular) return "(none)";
    if (!node->content) return "";
    return oci::read_all(*open_content(*node->content, store), 1 << 20, path);
  }
  static std::string link(const Tree& tree, std::string_view path) {
    const Node* node = tree.find(path);
    return node != nullptr && node->type == FileType::symlink ? node->link : "(none)";
  }
};

}  // namespace

TEST_CASE("top-level directories are links into /usr and their files go there") {
  Bench bench;
  const Tree tree = bench.install({bench.package("a").add("bin/a", "A", 0755),
                                   bench.package("b").add("usr/bin/b", "B", 0755)});
  CHECK(Bench::link(tree, "bin") == "usr/bin");
  CHECK(tree.find("sbin") == nullptr);
  CHECK(bench.text(tree, "bin/a") == "A");
  REQUIRE(tree.find("usr/bin/a") != nullptr);
  CHECK(tree.find("usr/bin/a")->origin == "a");
  CHECK(tree.find("usr/bin/a")->attributes.mtime == k_packed);
  CHECK(bench.text(tree, "var/lib/dpkg/status.d/a") ==
        "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
        "Description: a test\n");
  CHECK(bench.warnings.all.empty());
}

TEST_CASE("a real /bin below stays real, and a link of base-files is our link") {
  Bench bench;
  Tree::Nodes nodes;
  Node bin;
  bin.type = FileType::directory;
  bin.attributes.mode = 0755;
  nodes["bin"] = bin;
  bench.below = Tree(nodes);
  Tree tree = bench.install({bench.package("a").add("bin/a", "A")});
  CHECK(tree.find("bin/a") != nullptr);
  CHECK(tree.find("usr") == nullptr);
  bench.below = Tree();
  tree =
      bench.install({bench.package("base-files").link("bin", "usr/bin"),
                     bench.package("a").add("bin/a", "A").link("usr/bin/a", "/bin/a")});
  CHECK(Bench::link(tree, "bin") == "usr/bin");
  CHECK(bench.text(tree, "usr/bin/a") == "A");
}

TEST_CASE("nothing depends on the order of the packages") {
  Bench bench;
  std::vector<Package> packages = {
      bench.package("one").add("usr/x", "1").dir("srv/d", 0755).add("etc/c", "c"),
      bench.package("two").add("usr/x", "2").dir("srv/d", 02775, 50),
      bench.package("three").link("usr/lnk", "real").dir("usr/real", 0755),
      bench.package("four").add("usr/lnk/f", "4"),
      bench.package("five")
          .add("usr/bin/ed", "e", 0755)
          .control("postinst",
                   "update-alternatives --install /usr/bin/e e /usr/bin/ed 5"),
  };
  const Tree first = bench.install(packages);
  std::sort(packages.begin(), packages.end(),
            [](const Package& a, const Package& b) { return a.id() < b.id(); });
  do {
    CHECK(bench.install(packages).digest() == first.digest());
  } while (std::next_permutation(
      packages.begin(), packages.end(),
      [](const Package& a, const Package& b) { return a.id() < b.id(); }));
  CHECK(bench.text(first, "usr/x") == "2");
  CHECK(first.find("srv/d")->attributes.mode == 02775);
  CHECK(first.find("srv/d")->attributes.gid == 50);
  CHECK(first.find("srv/d")->origin.empty());
  CHECK(bench.text(first, "usr/real/f") == "4");
  CHECK(Bench::link(first, "etc/alternatives/e") == "/usr/bin/ed");
  CHECK(bench.warnings.all.front() ==
        "one and two each ship a different file at /usr/x; the one of two is used");
}

TEST_CASE("a conflict is settled by Replaces, by a diversion, or by being none") {
  Bench bench;
  Tree tree = bench.install({bench.package("a", "Replaces: z (<< 9), b\n").add("x", "A"),
                             bench.package("b").add("x", "B")});
  CHECK(bench.text(tree, "x") == "A");
  tree = bench.install(
      {bench.package("a").add("x", "A").control("preinst", "dpkg-divert --add /x"),
       bench.package("b").add("x", "B")});
  CHECK(bench.text(tree, "x") == "A");
  bench.warnings.all.clear();
  tree = bench.install(
      {bench.package("a").add("x", "same"), bench.package("b").add("x", "same")});
  CHECK(bench.warnings.all.empty());
  CHECK(tree.find("x")->origin == "a");
}

TEST_CASE("with dpkg the whole database is written, and added to the one below") {
  Bench bench;
  Tree tree = bench.install({bench.package("dpkg", "Multi-Arch: foreign\n")
                                 .control("triggers", "interest-noawait /t\n"),
                             bench.package("lib", "Multi-Arch: same\nHomepage: h\n")
                                 .add("etc/lib.conf", "hello\n")
                                 .control("conffiles", "/etc/lib.conf\n")
                                 .control("postinst", "#!/bin/sh\n", 0755)});
  const std::string status = bench.text(tree, "var/lib/dpkg/status");
  CHECK(status ==
        "Package: dpkg\nStatus: install ok installed\nArchitecture: all\n"
        "Multi-Arch: foreign\nVersion: 1\nDescription: a test\n\n"
        "Package: lib\nStatus: install ok installed\nArchitecture: all\n"
        "Multi-Arch: same\nVersion: 1\nConffiles:\n"
        " /etc/lib.conf b1946ac92492d2347c6235b4d2611184\nDescription: a test\n"
        "Homepage: h\n\n");
  CHECK(bench.text(tree, "var/lib/dpkg/info/lib:all.list") ==
        "/.\n/etc\n/etc/lib.conf\n");
  CHECK(tree.find("var/lib/dpkg/info/lib:all.postinst")->attributes.mode == 0755);
  CHECK(tree.find("var/lib/dpkg/info/lib:all.control") == nullptr);
  CHECK(bench.text(tree, "var/lib/dpkg/triggers/File") == "/t dpkg/noawait\n");
  CHECK(tree.find("var/lib/dpkg/status.d") == nullptr);

  bench.below = tree;
  tree = bench.install({bench.package("extra")});
  const std::string more = bench.text(tree, "var/lib/dpkg/status");
  CHECK(more.find("Package: dpkg\n") == 0);
  CHECK(more.find("\n\nPackage: extra\n") != std::string::npos);
  CHECK(more.find("\n\nPackage: lib\n") != std::string::npos);
}

TEST_CASE("accounts come from master files, sysusers.d and adduser in scripts") {
  Bench bench;
  const Tree tree = bench.install(
      {bench.package("base-passwd")
           .add("usr/share/base-passwd/passwd.master",
                "root:*:0:0:root:/root:/bin/bash\n")
           .add("usr/share/base-passwd/group.master", "root:*:0:\nnogroup:*:65534:\n"),
       bench.package("passwd"),
       bench.package("d").add("usr/lib/sysusers.d/d.conf",
                              "# c\nu d - \"The D\" /var/d\nu e 7\ng f -\nm d f\n"),
       bench.package("s").control(
           "postinst",
           "case $1 in configure)\n adduser --quiet --system --home /var/s --group s\n"
           "adduser --system --no-create-home t\nadduser s f\n;; esac")});
  CHECK(bench.text(tree, "etc/passwd") ==
        "root:x:0:0:root:/root:/bin/bash\n"
        "d:x:998:998:The D:/var/d:/usr/sbin/nologin\n"
        "e:x:7:7::/:/usr/sbin/nologin\n"
        "s:x:100:100::/var/s:/usr/sbin/nologin\n"
        "t:x:101:65534::/nonexistent:/usr/sbin/nologin\n");
  CHECK(bench.text(tree, "etc/group") ==
        "root:x:0:\nnogroup:x:65534:\nf:x:999:d,s\nd:x:998:\ne:x:7:\ns:x:100:\n");
  CHECK(bench.text(tree, "etc/shadow").find("root:*::0:99999:7:::\nd:!*::") == 0);
  CHECK(tree.find("etc/shadow")->attributes.mode == 0640);
  CHECK(tree.find("etc/shadow")->attributes.gid == 42);
  REQUIRE(tree.find("var/s") != nullptr);
  CHECK(tree.find("var/s")->attributes.uid == 100);
}

TEST_CASE("alternatives: priority decides, slaves follow, what is missing is no choice") {
  Bench bench;
  const Tree tree = bench.install(
      {bench.package("dpkg").dir("var/lib/dpkg/alternatives", 0755),
       bench.package("m")
           .add("usr/bin/mawk", "m")
           .add("usr/share/man/m.gz", "m")
           .control("postinst",
                    "update-alternatives --quiet --install /usr/bin/awk awk "
                    "/usr/bin/mawk 5 \\\n"
                    " --slave /usr/share/man/awk.gz awk.gz /usr/share/man/m.gz"),
       bench.package("g")
           .add("usr/bin/gawk", "g")
           .control("postinst",
                    "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\n"
                    "update-alternatives --install /usr/bin/awk awk /usr/bin/none 99\n"
                    "update-alternatives --install /usr/bin/x x $y 99\n")});
  CHECK(Bench::link(tree, "etc/alternatives/awk") == "/usr/bin/gawk");
  CHECK(Bench::link(tree, "usr/bin/awk") == "/etc/alternatives/awk");
  CHECK(tree.find("usr/share/man/awk.gz") == nullptr);
  CHECK(bench.text(tree, "var/lib/dpkg/alternatives/awk") ==
        "auto\n/usr/bin/awk\nawk.gz\n/usr/share/man/awk.gz\n\n"
        "/usr/bin/gawk\n10\n\n/usr/bin/mawk\n5\n/usr/share/man/m.gz\n\n");
  CHECK(bench.warnings.all.back() ==
        "maintainer scripts are not run, and these do something no finisher imitates: "
        "g (update-alternatives)");
}

TEST_CASE("what no image can hold is not made for a script, but told") {
  Bench bench;
  const Tree tree = bench.install(
      {bench.package("base-passwd")
           .add("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/sh\n")
           .add("usr/share/base-passwd/group.master", "root:*:0:\nnogroup:*:65534:\n"),
       bench.package("a").control("postinst", "adduser --system --home /var/.wh.x a"),
       bench.package("b")
           .add("usr/x", "x")
           .control("postinst", "update-alternatives --install / rt /usr/x 5"),
       bench.package("c").control("postinst",
                                  "update-alternatives --install /z .wh.q /usr/x 5")});
  CHECK(bench.text(tree, "etc/passwd") == "root:*:0:0:root:/root:/bin/sh\n");
  CHECK(bench.warnings.all.back() ==
        "maintainer scripts are not run, and these do something no finisher imitates: "
        "a (adduser), b (update-alternatives), c (update-alternatives)");
}

TEST_CASE("a link below a file is an error that names both") {
  Bench bench;
  try {
    bench.install({bench.package("b")
                       .add("usr/x", "x")
                       .control("postinst",
                                "update-alternatives --install /z z /usr/x 5 --slave "
                                "/usr/x/y/z s /usr/x")});
    FAIL("it was made");
  } catch (const oci::Error& error) {
    CHECK(error.code() == oci::Errc::bad_input);
    CHECK(std::string(error.what()).find("/usr/x") != std::string::npos);
  }
}

TEST_CASE("thousands of system users are no work") {
  Bench bench;
  std::string lines = "r - 1-100000\n";
  for (int i = 0; i < 4000; ++i)
    lines += fmt::format("u u{} -\nm u{} all\n", i, i);
  const auto start = std::chrono::steady_clock::now();
  const Tree tree = bench.install(
      {bench.package("base-passwd")
           .add("usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/sh\n")
           .add("usr/share/base-passwd/group.master", "root:*:0:\n"),
       bench.package("d").add("usr/lib/sysusers.d/d.conf", lines)});
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  const std::string passwd = bench.text(tree, "etc/passwd");
  CHECK(std::count(passwd.begin(), passwd.end(), '\n') == 4001);
}

TEST_CASE("what is dropped leaves copyright files and manual sections") {
  Bench bench;
  bench.action.drop = {"docs", "man", "locales", "info"};
  bench.action.keep_locales = {"de"};
  const Tree tree = bench.install({bench.package("a")
                                       .add("usr/share/doc/a/copyright", "c")
                                       .add("usr/share/doc/a/README", "r")
                                       .add("usr/share/doc/b/README", "r")
                                       .link("usr/share/doc/c", "a")
                                       .add("usr/share/man/man1/a.1.gz", "m")
                                       .add("usr/share/man/fr/man1/a.1.gz", "m")
                                       .add("usr/share/info/a.gz", "i")
                                       .add("usr/share/locale/de_AT/x.mo", "d")
                                       .add("usr/share/locale/den/x.mo", "d")
                                       .add("usr/share/locale/locale.alias", "l")});
  std::string left;
  for (const auto& [path, node] : tree.nodes()) {
    if (path.starts_with("usr/share/")) left += path.substr(10) + " ";
  }
  CHECK(left ==
        "doc doc/a doc/a/copyright doc/c info locale locale/de_AT locale/de_AT/x.mo "
        "locale/locale.alias man man/man1 ");
  bench.action.drop = {"everything"};
  CHECK_THROWS_AS(bench.install({bench.package("a")}), oci::Error);
}

TEST_CASE("directories that are there keep their attributes; times are clamped") {
  Bench bench;
  Tree::Nodes nodes;
  Node etc;
  etc.type = FileType::directory;
  etc.attributes.mode = 0700;
  nodes["etc"] = etc;
  bench.below = Tree(nodes);
  const Tree tree =
      bench.install({bench.package("a").add("etc/a", "a").dir("etc", 0755)});
  REQUIRE(tree.find("etc") != nullptr);
  CHECK(tree.find("etc")->implied);
  CHECK(merge(bench.below, tree, false).find("etc")->attributes.mode == 0700);
}

TEST_CASE("packages that are not what was locked are refused") {
  Bench bench;
  oci::Activity activity(bench.warnings, "test");
  const DebianContext context{bench.store, activity, k_time, k_time, {}};
  InstallDebianAction action;
  action.packages = {"other:all=1"};
  const std::vector<Tree> trees = {bench.package("a").tree()};
  CHECK_THROWS_AS(install_debian(action, trees, Tree(), context), oci::Error);
  for (const char* control :
       {"", "Package: a\n", "Package: ../a\nVersion: 1\nArchitecture: all\n", " x\n",
        "Package: a\nPackage: a\n",
        "Package: a\nVersion: 1\nArchitecture: all\n\nX: y\n"}) {
    CAPTURE(control);
    const Tree tree = bench.package("a").control("control", control).tree();
    CHECK_THROWS_AS(read_package(tree, "a:all=1", bench.store), oci::Error);
  }
}

}  // namespace lithify
