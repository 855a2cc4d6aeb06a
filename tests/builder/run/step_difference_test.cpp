// What is told of two results of one command.
#include "builder/run/step_difference.h"

#include "oci/store/memory_store.h"

#include "tests/support/catch.h"

using lithify::Node;
using lithify::StepDifference;
using lithify::Tree;

namespace {

class Bench {
 public:
  Tree tree(const std::map<std::string, std::string>& files, std::uint32_t mode = 0644) {
    Tree::Nodes nodes;
    for (const auto& [path, text] : files) {
      lithify::add_implied_parents(nodes, path, lithify::k_constant_time);
      Node node;
      node.attributes = {mode, 0, 0, lithify::k_constant_time, {}};
      const oci::BlobRef blob = oci::put(store, text);
      node.content = lithify::Slice{blob, 0, blob.size};
      nodes.emplace(path, std::move(node));
    }
    return Tree(std::move(nodes));
  }
  StepDifference one(const std::string& first, const std::string& second) {
    const auto found =
        lithify::differences_between(tree({{"f", first}}), tree({{"f", second}}), store);
    REQUIRE(found.size() == 1);
    return found.front();
  }

  oci::MemoryStore store;
};

}  // namespace

TEST_CASE("equal trees have no differences, however the store keeps them") {
  Bench bench;
  const Tree one = bench.tree({{"a", "text"}});
  CHECK(lithify::differences_between(one, one, bench.store).empty());
  Tree::Nodes nodes = one.nodes();
  const oci::BlobRef blob = oci::put(bench.store, std::string("more text"));
  nodes.at("a").content = lithify::Slice{blob, 5, 4};
  CHECK(lithify::differences_between(one, Tree(nodes), bench.store).empty());
}

TEST_CASE("names, bits and contents that differ are told by path") {
  Bench bench;
  const auto found =
      lithify::differences_between(bench.tree({{"d/a", "1"}, {"d/b", "x"}}),
                                   bench.tree({{"d/b", "y"}, {"d/c", "1"}}), bench.store);
  REQUIRE(found.size() == 3);
  CHECK(found[0].path == "d/a");
  CHECK(found[0].in == StepDifference::In::first);
  CHECK(found[1].what == "its content at byte 0");
  CHECK(found[2].in == StepDifference::In::second);
  const auto bits = lithify::differences_between(
      bench.tree({{"a", ""}}), bench.tree({{"a", ""}}, 0600), bench.store);
  REQUIRE(bits.size() == 1);
  CHECK(bits[0].what == "its permission bits");
}

TEST_CASE("readings of a clock are known by their looks, other numbers are not") {
  Bench bench;
  const StepDifference date =
      bench.one("built 2026-11-26 20:01:14", "built 2027-12-31 20:01:15");
  CHECK(date.cause == "the time of day");
  CHECK(date.evidence == "2026-11-26 20:01:14, 2027-12-31 20:01:15");
  CHECK(bench.one("at 1795723274", "at 1830283280").cause == "the time of day");
  CHECK(bench.one("0 1879113728 1", "0 1879179264 1").cause.empty());
  CHECK(bench.one("9f3ac1", "17bb02").cause.empty());
}

TEST_CASE("times of files are known in archives") {
  Bench bench;
  const std::string head("\x1f\x8b\x08\x08", 4);
  const StepDifference gzip =
      bench.one(head + std::string("\x01\x02\x03\x04", 4), head + "\x05\x02\x03\x04");
  CHECK(gzip.cause == "the time of a file that the step made");
  CHECK(gzip.cure == "write `gzip -n`");
  std::string tar(1024, '\0');
  tar.replace(257, 5, "ustar");
  std::string later = tar;
  tar.replace(136, 11, "15115677377");
  later.replace(136, 11, "15115677401");
  CHECK(bench.one(tar, later).evidence == "in a tar archive");
  std::string other = tar;
  other.replace(0, 4, "a/b/");
  CHECK(bench.one(tar, other).cause == "the order of names in directories");
}

TEST_CASE("the work directory of the machine is known by its name") {
  Bench bench;
  CHECK(bench.one("/home/a/work/step-X1/root", "/home/a/work/step-Y2/root").cause ==
        "the machine's work directory");
}
