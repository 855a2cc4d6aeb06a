// normalise: results of steps without what would be another thing each time.
#include "builder/command/normalise.h"

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "builder/plan/recipe.h"

#include "tests/support/catch.h"
#include "tests/support/trees.h"

using lithify::Node;
using lithify::Tree;
using lithify::testing::shape_of;
using lithify::testing::tree_of;

namespace {

struct Bench {
  oci::MemoryStore store;
  std::vector<std::string> off;
  bool drop_keys = false;

  Tree stored(std::initializer_list<std::pair<std::string, std::string>> files) {
    Tree::Nodes nodes;
    for (const auto& [path, text] : files) {
      Node node;
      node.attributes.mtime = lithify::k_constant_time;
      if (!text.empty()) {
        const oci::BlobRef blob = oci::put(store, text);
        node.content = lithify::Slice{blob, 0, blob.size};
      }
      lithify::add_implied_parents(nodes, path, lithify::k_constant_time);
      nodes.emplace(path, std::move(node));
    }
    return Tree(std::move(nodes));
  }
  lithify::Normalised normalise(Tree change, const Tree& before = {}) {
    return lithify::normalise(std::move(change),
                              {before, off, lithify::k_constant_time, drop_keys}, store);
  }
  std::string text_of(const Tree& tree, const std::string& path) const {
    const Node* node = tree.find(path);
    REQUIRE(node != nullptr);
    if (!node->content) return "";
    return oci::read_all(*lithify::open_content(*node->content, store), 1000, "file");
  }
};

// A header of PEP 552, and what follows it.
std::string bytecode(char flags, std::uint32_t time) {
  std::string text = "\xa7\r\r\n";
  text += flags;
  text += std::string(3, '\0');
  for (int i = 0; i < 4; ++i)
    text += static_cast<char>(time >> (8 * i));
  return text + "size" + "code";
}

}  // namespace

TEST_CASE("what nobody wants in an image goes, with the directories it stood in") {
  Bench bench;
  const auto result = bench.normalise(bench.stored({{"etc/hosts", "x"},
                                                    {"etc/passwd", "kept"},
                                                    {"etc/passwd-", "x"},
                                                    {"run/lock/x", "x"},
                                                    {"tmp/a/b", "x"},
                                                    {"var/cache/apt/pkgcache.bin", "x"},
                                                    {"var/cache/ldconfig/aux-cache", "x"},
                                                    {"var/lib/dpkg/status", "kept"},
                                                    {"var/lib/dpkg/status-old", "x"},
                                                    {"var/log/apt/history.log", "x"},
                                                    {"var/log/dpkg.log", "x"},
                                                    {"var/log/mine.log", "kept"}}));
  CHECK(shape_of(result.change) ==
        "i etc\nf etc/passwd\ni var\ni var/lib\ni var/lib/dpkg\nf var/lib/dpkg/status\n"
        "i var/log\nf var/log/mine.log\n");
  CHECK(result.notes.size() == 9);
}

TEST_CASE("a normaliser that is switched off does nothing") {
  Bench bench;
  bench.off = {"logs"};
  const auto result =
      bench.normalise(bench.stored({{"var/log/dpkg.log", "kept"}, {"etc/group-", "x"}}));
  CHECK(shape_of(result.change) == "i var\ni var/log\nf var/log/dpkg.log\n");
}

TEST_CASE("each name that can be switched off stands in the table of the header") {
  const auto& names = lithify::normaliser_names();
  for (const char* name :
       {"backups", "ldconfig-cache", "logs", "machine-id", "network-files",
        "private-keys", "pycache", "python-records", "shadow-days", "temporary", "caches",
        "database-clusters", "font-caches", "java-keystores"}) {
    CAPTURE(name);
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  }
}

TEST_CASE("what a step removed stays removed, of the kind that is left out too") {
  Bench bench;
  const Tree change = tree_of({"w etc/hosts", "w tmp/x", "w usr/bin/x"});
  CHECK(shape_of(bench.normalise(change).change) ==
        "w etc/hosts\nw tmp/x\nw usr/bin/x\n");
}

TEST_CASE("byte code held valid by times gets the time of its source in the image") {
  Bench bench;
  Tree before = bench.stored({{"usr/lib/b.py", "b"}});
  Tree::Nodes nodes = std::move(before).take_nodes();
  nodes.at("usr/lib/b.py").attributes.mtime = 0x01020304;
  const auto result = bench.normalise(
      bench.stored({{"usr/lib/__pycache__/b.cpython-311.pyc", bytecode(0, 77)},
                    {"srv/__pycache__/a.cpython-311.opt-1.pyc", bytecode(0, 77)},
                    {"srv/a.py", "a"},
                    {"srv/__pycache__/hash.cpython-311.pyc", bytecode(1, 77)},
                    {"srv/hash.py", "h"},
                    {"srv/__pycache__/orphan.cpython-311.pyc", bytecode(0, 77)}}),
      Tree(nodes));
  CHECK(bench.text_of(result.change, "usr/lib/__pycache__/b.cpython-311.pyc") ==
        bytecode(0, 0x01020304));
  CHECK(bench.text_of(result.change, "srv/__pycache__/a.cpython-311.opt-1.pyc") ==
        bytecode(0, 315532800));
  CHECK(bench.text_of(result.change, "srv/__pycache__/hash.cpython-311.pyc") ==
        bytecode(1, 77));
  CHECK(bench.text_of(result.change, "srv/__pycache__/orphan.cpython-311.pyc") ==
        bytecode(0, 77));
}

TEST_CASE("the day of a password's last change is what it was, or nothing") {
  Bench bench;
  const auto result = bench.normalise(
      bench.stored(
          {{"etc/shadow", "root:*:20000:0:99999:7:::\nnew:!:20000::::::\nodd\n"}}),
      bench.stored({{"etc/shadow", "root:*:1:0:99999:7:::\n"}}));
  CHECK(bench.text_of(result.change, "etc/shadow") ==
        "root:*:1:0:99999:7:::\nnew:!:::::::\nodd\n");
}

TEST_CASE("a machine has no id before it runs") {
  Bench bench;
  const auto result = bench.normalise(bench.stored(
      {{"etc/machine-id", "0123\n"}, {"var/lib/dbus/machine-id", "0123\n"}}));
  CHECK(shape_of(result.change) == "i etc\nf etc/machine-id\n");
  CHECK(bench.text_of(result.change, "etc/machine-id").empty());
}

TEST_CASE("uv's record of times goes, and its line with it") {
  Bench bench;
  const auto result =
      bench.normalise(bench.stored({{"v/a.dist-info/RECORD",
                                     "a.py,sha256=x,1\na.dist-info/uv_cache.json,"
                                     "sha256=y,2\na.dist-info/RECORD,,\n"},
                                    {"v/a.dist-info/uv_cache.json", "{}"}}));
  CHECK(shape_of(result.change) == "i v\ni v/a.dist-info\nf v/a.dist-info/RECORD\n");
  CHECK(bench.text_of(result.change, "v/a.dist-info/RECORD") ==
        "a.py,sha256=x,1\na.dist-info/RECORD,,\n");
}

TEST_CASE("a fresh private key is refused, or left out where a package made it") {
  Bench bench;
  const std::string key = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n";
  const auto change = [&] {
    return bench.stored({{"etc/ssh/ssh_host_rsa_key", key}, {"usr/share/test.pem", key}});
  };
  CHECK_THROWS_WITH(bench.normalise(change()),
                    Catch::Matchers::Contains("/etc/ssh/ssh_host_rsa_key"));
  bench.drop_keys = true;
  CHECK(shape_of(bench.normalise(change()).change) ==
        "i usr\ni usr/share\nf usr/share/test.pem\n");
}

TEST_CASE("the public half of a package's key goes with it, and what links to it") {
  Bench bench;
  bench.drop_keys = true;
  const std::string key = "-----BEGIN PRIVATE KEY-----\nx\n";
  Tree made = bench.stored({{"etc/ssh/ssh_host_rsa_key", key},
                            {"etc/ssh/ssh_host_rsa_key.pub", "p"},
                            {"etc/ssl/certs/ssl-cert-snakeoil.pem", "c"},
                            {"etc/ssl/certs/other.pem", "c"},
                            {"etc/ssl/private/ssl-cert-snakeoil.key", key}});
  Tree::Nodes nodes = std::move(made).take_nodes();
  Node link;
  link.type = oci::FileType::symlink;
  link.link = "ssl-cert-snakeoil.pem";
  nodes["etc/ssl/certs/0123abcd.0"] = link;
  link.link = "other.pem";
  nodes["etc/ssl/certs/4567abcd.0"] = link;
  const auto result = bench.normalise(Tree(std::move(nodes)));
  CHECK(shape_of(result.change) ==
        "i etc\ni etc/ssl\ni etc/ssl/certs\nl etc/ssl/certs/4567abcd.0=other.pem\n"
        "f etc/ssl/certs/other.pem\n");
  CHECK(result.notes.size() == 5);
}

TEST_CASE("a database that a package made goes whole; a person's stays") {
  Bench bench;
  const auto change = [&] {
    return bench.stored({{"etc/postgresql-common/x.conf", "x"},
                         {"etc/postgresql/15/main/pg_hba.conf", "x"},
                         {"var/lib/postgresql/15/main/base/1/2", "x"},
                         {"var/lib/postgresql/15/main/PG_VERSION", "x"}});
  };
  CHECK(bench.normalise(change()).notes.empty());
  bench.drop_keys = true;
  const auto result = bench.normalise(change());
  CHECK(shape_of(result.change) ==
        "i etc\ni etc/postgresql-common\nf etc/postgresql-common/x.conf\n");
  CHECK(result.notes.size() == 2);
  bench.off = {"database-clusters"};
  CHECK(bench.normalise(change()).notes.empty());
}

TEST_CASE("where /var/lock leads stays") {
  Bench bench;
  Tree made = bench.stored({{"run/lock/subsys/x", "x"}, {"run/x", "x"}});
  Tree::Nodes nodes = std::move(made).take_nodes();
  nodes.at("run/lock").implied = false;
  CHECK(shape_of(bench.normalise(Tree(std::move(nodes))).change) ==
        "i run\nd run/lock\n");
}

TEST_CASE("private keys are found behind a certificate and where users have theirs") {
  Bench bench;
  const std::string certificate =
      "-----BEGIN CERTIFICATE-----\n" + std::string(2000, 'A') + "\n";
  const std::string key = "-----BEGIN EC PRIVATE KEY-----\nx\n";
  CHECK_THROWS_WITH(
      bench.normalise(bench.stored({{"etc/tls/both.pem", certificate + key}})),
      Catch::Matchers::Contains("/etc/tls/both.pem"));
  CHECK_THROWS_WITH(bench.normalise(bench.stored({{"home/me/.ssh/id_ed25519", key}})),
                    Catch::Matchers::Contains("/home/me/.ssh/id_ed25519"));
  CHECK_THROWS_WITH(bench.normalise(bench.stored({{"opt/x/ssh_host_rsa_key", key}})),
                    Catch::Matchers::Contains("/opt/x/ssh_host_rsa_key"));
  // A script that looks for one, and an example.
  CHECK_NOTHROW(bench.normalise(bench.stored(
      {{"etc/check", "#!/bin/sh\ngrep -e '-----BEGIN PRIVATE KEY-----' \"$1\"\n"},
       {"usr/share/doc/example.pem", key},
       {"opt/app/node_modules/x/test/key.pem", key}})));
}

TEST_CASE("bytecode that is one file under two names stays one") {
  Bench bench;
  const std::uint32_t then = 1700000000;
  const auto with_names = [&](const std::string& second) {
    Tree made = bench.stored({{"m/a.py", "source"},
                              {"m/__pycache__/a.cpython-311.pyc", bytecode(0, then)},
                              {second, bytecode(0, then)}});
    Tree::Nodes nodes = std::move(made).take_nodes();
    nodes.at("m/__pycache__/a.cpython-311.pyc").file_id = 7;
    nodes.at(second).file_id = 7;
    return bench.normalise(Tree(std::move(nodes))).change;
  };
  const char* const first = "m/__pycache__/a.cpython-311.pyc";
  const char* const optimised = "m/__pycache__/a.cpython-311.opt-1.pyc";
  const Tree both = with_names(optimised);
  CHECK(both.find(first)->file_id == 7);
  CHECK(both.find(optimised)->file_id == 7);
  CHECK(both.find(first)->content == both.find(optimised)->content);
  CHECK(bench.text_of(both, first) != bytecode(0, then));
  // A name of it that is no bytecode of that module keeps the old text.
  const Tree parted = with_names("m/kept");
  CHECK(parted.find(first)->file_id == 0);
  CHECK(bench.text_of(parted, "m/kept") == bytecode(0, then));
}

TEST_CASE("the source of bytecode is found by its whole name") {
  Bench bench;
  const std::uint32_t then = 1700000000;
  Tree made =
      bench.stored({{"m/a.b.py", "source"},
                    {"m/__pycache__/a.b.cpython-311.pyc", bytecode(0, then)},
                    {"m/__pycache__/a.b.cpython-311.opt-2.pyc", bytecode(0, then)},
                    {"m/__pycache__/a.cpython-311.pyc", bytecode(0, then)}});
  const Tree change = bench.normalise(std::move(made)).change;
  CHECK(bench.text_of(change, "m/__pycache__/a.b.cpython-311.pyc") != bytecode(0, then));
  CHECK(bench.text_of(change, "m/__pycache__/a.b.cpython-311.opt-2.pyc") !=
        bytecode(0, then));
  CHECK(bench.text_of(change, "m/__pycache__/a.cpython-311.pyc") == bytecode(0, then));
}
